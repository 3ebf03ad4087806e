"""Settings of the HTTP and TLS clients of back ends: `http_config` and `tls_config` (operations 11 and 12).

A plugin puts the model into its own configuration and hands the parts to its SDK:

    class AcmeConfig(BaseModel, extra="forbid"):
        http_config: HttpClientConfig = HttpClientConfig()

    context = config.http_config.ssl_context("ACME bucket")     # when the bucket is opened: raises ConfigurationError

Models are frozen. Files are looked at when a connection is prepared, not when the configuration is read, so that a
configuration can be checked on another machine.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from storegate.config.units import Duration
from storegate.errors import ConfigurationError
from storegate.tls import no_passphrase, reason_of

DIAL_TIMEOUT = 30.0  # s; fixed (operations 12)
UNLIMITED_READ_TIMEOUT = 600.0
"""What a `response_header_timeout` of 0 (no limit) becomes, in seconds: no call of a store may block for ever."""
DEFAULT_POOL_SIZE = 100

OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: None if value == "" else value)]


class _Section(BaseModel):
    """Strict about names, and frozen. An empty section of a file (null) holds the defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return {} if value is None else value


class TlsClientConfig(_Section):
    """How a TLS server is verified, and what is shown to it."""

    ca_file: OptionalPath = Field(default=None, description="CA certificates (PEM) to trust instead of the system's.")
    cert_file: OptionalPath = Field(default=None, description="Client certificate (PEM); needs `key_file`.")
    key_file: OptionalPath = Field(default=None, description="Private key (PEM, without a passphrase) of `cert_file`.")
    server_name: str = Field(default="", description="Name the server must prove; by default that of its address.")
    insecure_skip_verify: bool = Field(default=False, description="Accept any certificate.")
    min_version: Literal["", "1.0", "1.1", "1.2", "1.3"] = Field(
        default="", description="Least version of TLS; below 1.2 is never used."
    )

    @model_validator(mode="after")
    def _pair_is_complete(self) -> TlsClientConfig:
        if (self.cert_file is None) != (self.key_file is None):
            given, missing = ("cert_file", "key_file") if self.cert_file else ("key_file", "cert_file")
            raise ValueError(f"{given} is set and {missing} is not: a client certificate needs both")
        return self

    @property
    def client_certificate(self) -> tuple[str, str] | None:
        """Paths of certificate and key, for SDKs that read the files themselves."""
        if self.cert_file is None or self.key_file is None:
            return None
        return str(self.cert_file), str(self.key_file)

    def check_files(self, where: str) -> None:
        """Raise ConfigurationError for a file that cannot be read or is no PEM; `where` opens the message."""
        for key in ("ca_file", "cert_file", "key_file"):
            path: Path | None = getattr(self, key)
            if path is None:
                continue
            try:
                data = path.read_bytes()
            except OSError as error:
                raise ConfigurationError(f"{where}: {key}: cannot read {str(path)!r}: {error.strerror}") from error
            if b"-----BEGIN " not in data:
                raise ConfigurationError(f"{where}: {key}: {str(path)!r} is not a PEM file")

    def ssl_context(self, where: str) -> ssl.SSLContext:
        """A client context with all of these settings but `server_name`, which goes to `wrap_socket`.

        Raises ConfigurationError, opened by `where` (such as `S3 bucket, tls_config`), naming the key.
        """
        self.check_files(where)
        key = "ca_file"
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            key = "cert_file and key_file"
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file, password=no_passphrase)
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            raise ConfigurationError(f"{where}: {key}: cannot be used: {reason_of(error)}") from error
        if self.min_version == "1.3":
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        if self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class HttpClientConfig(_Section):
    """The HTTP client of an object store (operations 12). Proxies come from the environment."""

    idle_conn_timeout: Duration = Field(default=90.0, description="Close a connection unused for so long; 0: never.")
    response_header_timeout: Duration = Field(default=120.0, description="Longest wait for an answer; 0: ten minutes.")
    insecure_skip_verify: bool = Field(default=False, description="Accept any TLS certificate.")
    tls_handshake_timeout: Duration = Field(
        default=10.0, description="Longest TLS handshake; 0: as the connection, 30s."
    )
    expect_continue_timeout: Duration = Field(
        default=1.0, description="Accepted, without effect: bodies are sent without a question."
    )
    max_idle_conns: int = Field(default=100, ge=0, description="Most unused connections kept; 0: no limit.")
    max_idle_conns_per_host: int = Field(
        default=100, ge=0, description="Most unused connections kept to one host; 0: 100."
    )
    max_conns_per_host: int = Field(default=0, ge=0, description="Most connections to one host; 0: no limit.")
    tls_config: TlsClientConfig = Field(default_factory=TlsClientConfig, description="TLS files and verification.")
    disable_compression: bool = Field(
        default=False, description="Accepted, without effect: no compression is asked for."
    )

    @property
    def connect_timeout(self) -> float:
        """Seconds for each step of connecting (TCP, then TLS): SDKs know one value for both."""
        return min(DIAL_TIMEOUT, self.tls_handshake_timeout or DIAL_TIMEOUT)

    @property
    def read_timeout(self) -> float:
        """Seconds without a byte from the server after which a request is given up."""
        return self.response_header_timeout or UNLIMITED_READ_TIMEOUT

    @property
    def pool_size(self) -> int:
        """Connections that a pool keeps for its host."""
        limits = (self.max_conns_per_host, self.max_idle_conns_per_host or DEFAULT_POOL_SIZE, self.max_idle_conns)
        return min(limit for limit in limits if limit)

    @property
    def pool_blocks(self) -> bool:
        """Whether a request waits for a connection of the pool rather than opening one more."""
        return self.max_conns_per_host > 0

    @property
    def verify(self) -> bool:
        """Whether certificates are verified."""
        return not (self.insecure_skip_verify or self.tls_config.insecure_skip_verify)

    def ssl_context(self, where: str) -> ssl.SSLContext:
        """The context of `tls_config`, with `insecure_skip_verify` of either place. Raises ConfigurationError."""
        tls = self.tls_config.model_copy(update={"insecure_skip_verify": not self.verify})
        return tls.ssl_context(f"{where}, http_config.tls_config")
