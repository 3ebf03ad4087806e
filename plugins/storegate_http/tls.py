"""TLS of the HTTP server: contexts from the settings, and one that always hands on to the newest."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from storegate.tls import load_client_ca, load_pair, openssl_ciphers, read_pem
from storegate_http.web_config import CURVES, SOURCE, TlsServerConfig

WHERE = f"{SOURCE}: tls_server_config."
_VERIFY = {
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


def server_context(config: TlsServerConfig) -> ssl.SSLContext:
    """A context for the settings. Raises ConfigurationError for files that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = _pem(config.cert_file, config.cert, "cert")
    key = _pem(config.key_file, config.key.get_secret_value(), "key")
    load_pair(context, certificate, key, f"{WHERE}cert_file and key_file")
    if config.client_auth_type in _VERIFY:
        load_client_ca(context, _pem(config.client_ca_file, config.client_ca, "client_ca"), f"{WHERE}client_ca_file")
        context.verify_mode = _VERIFY[config.client_auth_type]
    ciphers = openssl_ciphers(config.cipher_suites)
    only_tls13 = bool(config.cipher_suites) and not ciphers
    context.minimum_version = _VERSIONS["TLS13" if only_tls13 else max("TLS12", config.min_version)]
    context.maximum_version = _VERSIONS[config.max_version]
    if ciphers:
        context.set_ciphers(ciphers)
    for curve in config.curve_preferences:
        context.set_ecdh_curve(CURVES[curve])
    if not config.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    return context


def files_of(config: TlsServerConfig) -> list[Path]:
    """The files that a context is made from."""
    return [path for path in (config.cert_file, config.key_file, config.client_ca_file) if path is not None]


class CurrentContext(ssl.SSLContext):
    """What asyncio is given: every new connection gets the context of that moment.

    asyncio asks a context for nothing but `wrap_bio`. So certificates, client CAs, versions and ciphers all change at
    once, and connections that are there keep what they began with.
    """

    _current: Callable[[], ssl.SSLContext]

    @classmethod
    def of(cls, current: Callable[[], ssl.SSLContext]) -> CurrentContext:
        context = cls(ssl.PROTOCOL_TLS_SERVER)
        context._current = current
        return context

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """A connection of the newest context."""
        return self._current().wrap_bio(*arguments, **options)


def names_of(certificate: Any) -> set[str]:
    """The subject's alternative names of a peer's certificate, as `getpeercert` gives it."""
    found: Iterable[tuple[str, str]] = (certificate or {}).get("subjectAltName", ())
    return {value for _, value in found}


def _pem(path: Path | None, text: str, name: str) -> bytes:
    return text.encode() if path is None else read_pem(path, f"{WHERE}{name}_file")
