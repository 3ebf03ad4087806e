"""Server credentials from PEM files, read again when the certificate or key changes on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc

from storegate.errors import ConfigurationError
from storegate_grpc.config import GrpcConfig


def server_credentials(config: GrpcConfig, log: Any) -> grpc.ServerCredentials | None:
    """None without TLS. Certificate and key are looked at in every handshake; the client CA is read once."""
    if config.tls_cert is None or config.tls_key is None:
        return None
    _refuse_what_grpc_cannot(config)
    certificate, key = config.tls_cert, config.tls_key
    client_ca = None if config.tls_client_ca is None else _read(config.tls_client_ca, "tls_client_ca")
    loaded = _changed(certificate, key)
    current = _configuration(certificate, key, client_ca)

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        """The new pair when the files changed; None keeps the last good one, also while only one file is replaced."""
        nonlocal loaded
        try:
            found = _changed(certificate, key)
            if found == loaded:
                return None
            fresh = _configuration(certificate, key, client_ca)
        except (OSError, ConfigurationError) as error:
            log.warning("the TLS certificate cannot be read again, the old one stays", err=str(error))
            return None
        loaded = found
        return fresh

    return grpc.dynamic_ssl_server_credentials(current, fetch, require_client_authentication=client_ca is not None)


def _refuse_what_grpc_cannot(config: GrpcConfig) -> None:
    """grpcio speaks TLS 1.2 and 1.3 and takes ciphers from its environment: no stricter wish may be ignored."""
    if config.tls_min_version == "1.3":
        raise ConfigurationError(
            "front end grpc, tls_min_version (--grpc-server-tls-min-version): gRPC for Python also accepts TLS 1.2;"
            " set 1.2, or end TLS in a proxy that insists on 1.3"
        )
    if config.tls_ciphers:
        raise ConfigurationError(
            "front end grpc, tls_ciphers (--grpc-server-tls-ciphers): remove it and name the ciphers, as OpenSSL does,"
            " in the environment variable GRPC_SSL_CIPHER_SUITES"
        )


def _configuration(certificate: Path, key: Path, client_ca: bytes | None) -> grpc.ServerCertificateConfiguration:
    pair = (_read(key, "tls_key"), _read(certificate, "tls_cert"))
    return grpc.ssl_server_certificate_configuration([pair], client_ca)


def _changed(*paths: Path) -> tuple[int, ...]:
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)


def _read(path: Path, setting: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"front end grpc, {setting}: cannot read {path}: {error.strerror}") from error
    if b"-----BEGIN " not in data:
        raise ConfigurationError(f"front end grpc, {setting}: {path} is not a PEM file")
    return data
