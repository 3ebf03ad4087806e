"""The file of `--http.config` (operations 16.2): TLS, users, headers and a rate limit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from storegate.config.http_client import OptionalPath
from storegate.config.units import Duration
from storegate.config.validation import check
from storegate.config.yaml_file import read_yaml
from storegate.tls import openssl_ciphers

SOURCE = "--http.config"
MAX_COST = 16  # a bcrypt hash of this cost takes some four seconds of a core
_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")

CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
"""Names of Go and of OpenSSL."""

Version = Literal["TLS10", "TLS11", "TLS12", "TLS13"]
ClientAuth = Literal[
    "", "NoClientCert", "RequestClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
]  # fmt: skip


class _Section(BaseModel):
    """Strict about names, and frozen; null is an empty section."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, value: object) -> object:
        return {} if value is None else value


def _known_curve(name: str) -> str:
    if name not in CURVES:
        raise ValueError(f"unknown curve {name!r} (known: {', '.join(CURVES)})")
    return name


class TlsServerConfig(_Section):
    """How the server proves who it is, and whom it lets in."""

    cert_file: OptionalPath = None
    key_file: OptionalPath = None
    cert: str = ""
    key: SecretStr = SecretStr("")
    client_auth_type: ClientAuth = "NoClientCert"
    client_ca_file: OptionalPath = None
    client_ca: str = ""
    client_allowed_sans: tuple[str, ...] = ()
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    curve_preferences: tuple[Annotated[str, AfterValidator(_known_curve)], ...] = ()
    prefer_server_cipher_suites: bool = True

    @field_validator("cipher_suites")
    @classmethod
    def _ciphers_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        openssl_ciphers(names)
        return names

    @field_validator("client_auth_type")
    @classmethod
    def _auth_can_be_kept(cls, value: ClientAuth) -> ClientAuth:
        if value in ("RequestClientCert", "RequireAnyClientCert"):
            raise ValueError(
                f"{value} takes certificates without verifying them, which this server cannot: use"
                " VerifyClientCertIfGiven or RequireAndVerifyClientCert"
            )
        return value

    @model_validator(mode="after")
    def _parts_fit(self) -> TlsServerConfig:
        for name in ("cert", "key", "client_ca"):
            if getattr(self, f"{name}_file") and getattr(self, name):
                raise ValueError(f"{name}_file and {name} cannot be given together")
        if self.enabled and not (self.cert_file or self.cert):
            raise ValueError("a certificate is missing: give cert_file (or cert) and key_file (or key)")
        if self.enabled and not (self.key_file or self.key.get_secret_value()):
            raise ValueError("the certificate's key is missing: give key_file (or key)")
        self._check_client_auth()
        if self.max_version in ("TLS10", "TLS11"):
            raise ValueError(f"max_version {self.max_version} would leave no version: below TLS12 none is spoken")
        if self.min_version == "TLS13" and self.max_version == "TLS12":
            raise ValueError("min_version TLS13 is above max_version TLS12")
        if len(self.curve_preferences) > 1:
            raise ValueError(
                "curve_preferences: this server keeps to one curve, or to all of OpenSSL's: name one or none"
            )
        return self

    def _check_client_auth(self) -> None:
        asks = self.client_auth_type not in ("", "NoClientCert")
        has_ca = bool(self.client_ca_file or self.client_ca)
        if asks and not has_ca:
            raise ValueError(f"client_auth_type {self.client_auth_type} needs client_ca_file (or client_ca)")
        if not asks and (has_ca or self.client_allowed_sans):
            raise ValueError("a client CA, or client_allowed_sans, without client_auth_type would let everybody in")

    @property
    def enabled(self) -> bool:
        """Whether TLS is spoken at all."""
        return bool(
            self.cert_file or self.cert or self.key_file or self.key.get_secret_value() or self._mentions_clients
        )

    @property
    def _mentions_clients(self) -> bool:
        return bool(self.client_ca_file or self.client_ca or self.client_auth_type not in ("", "NoClientCert"))


def _header_value(value: str) -> str:
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError("must be printable ASCII on one line")
    return value


HeaderValue = Annotated[str, AfterValidator(_header_value)]


class Headers(_Section):
    """Headers that every answer gets; empty ones are left out."""

    strict_transport_security: HeaderValue = Field(default="", alias="Strict-Transport-Security")
    content_type_options: Literal["", "nosniff"] = Field(default="", alias="X-Content-Type-Options")
    frame_options: Annotated[
        Literal["", "deny", "sameorigin"], BeforeValidator(lambda v: v.lower() if isinstance(v, str) else v)
    ] = Field(default="", alias="X-Frame-Options")
    xss_protection: HeaderValue = Field(default="", alias="X-XSS-Protection")
    content_security_policy: HeaderValue = Field(default="", alias="Content-Security-Policy")

    def pairs(self) -> tuple[tuple[bytes, bytes], ...]:
        """Names, in lower case, and values."""
        named = ((field.alias or name, getattr(self, name)) for name, field in type(self).model_fields.items())
        return tuple((name.lower().encode(), value.encode()) for name, value in named if value)


class HttpServerConfig(_Section):
    http2: bool = True
    headers: Headers = Headers()


class RateLimit(_Section):
    """One request in each `interval` seconds on average, and `burst` at once; off while `interval` is 0."""

    interval: Duration = 0.0
    burst: int = Field(default=1, ge=0)


class WebConfig(_Section):
    """The whole file."""

    tls_server_config: TlsServerConfig = TlsServerConfig()
    http_server_config: HttpServerConfig = HttpServerConfig()
    rate_limit: RateLimit = RateLimit()
    basic_auth_users: dict[str, SecretStr] = {}

    @field_validator("basic_auth_users", mode="before")
    @classmethod
    def _no_users(cls, value: object) -> object:
        return {} if value is None else value

    @field_validator("basic_auth_users")
    @classmethod
    def _hashes_are_bcrypt(cls, users: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for user, secret in users.items():
            match = _BCRYPT.fullmatch(secret.get_secret_value())
            if match is None:
                raise ValueError(f"what stands for user {user!r} is no bcrypt hash (htpasswd -nBC 10 {user})")
            if not 4 <= int(match[1]) <= MAX_COST:
                raise ValueError(
                    f"the hash of user {user!r} has cost {match[1]}: 4 to {MAX_COST} are allowed, 10 is usual"
                )
            if ":" in user:
                raise ValueError(f"user {user!r}: a name with a colon cannot be sent")
        return users


def read_web_config(path: Path) -> WebConfig:
    """The file, with its relative paths made absolute. Raises ConfigurationError, which never quotes a value."""
    source = f"{SOURCE} ({path})"
    content = read_yaml(path, source=SOURCE)
    config = check(WebConfig, {} if content is None else content, source=source)
    tls = config.tls_server_config
    names = ("cert_file", "key_file", "client_ca_file")
    files = {name: path.parent / found for name in names if (found := getattr(tls, name)) is not None}
    return config.model_copy(update={"tls_server_config": tls.model_copy(update=files)})
