"""Server credentials from PEM files, read again when a file changes, and a check of what TLS accepts."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection
from pathlib import Path
from typing import Any

import grpc

from storegate.listen import ALL_INTERFACES
from storegate.tls import Reloaded, check_pair, load_client_ca, read_pem
from storegate_grpc.config import GrpcConfig

WHERE = "front end grpc, "
HANDSHAKE = b"\x16"  # the first byte of a server that goes on with a handshake; a refusal is an alert or the end
PROBE_SECONDS = 5.0


def server_credentials(config: GrpcConfig, log: Any) -> grpc.ServerCredentials | None:
    """None without TLS. Certificate, key and client CA are looked at in every handshake.

    Raises ConfigurationError when they cannot be used. Later failures are logged, and the last good files stay in use.
    """
    if config.tls_cert is None or config.tls_key is None:
        return None
    files = Reloaded("the TLS certificate of gRPC", lambda: _read(config), log)
    handed_over = files.current()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        """What grpc asks before each handshake; None is `as before`. Runs on a thread of grpc."""
        nonlocal handed_over
        current = files.current()
        if current is handed_over:
            return None
        handed_over = current
        return current

    return grpc.dynamic_ssl_server_credentials(
        handed_over, fetch, require_client_authentication=config.tls_client_ca is not None
    )


def _read(config: GrpcConfig) -> tuple[grpc.ServerCertificateConfiguration, Collection[Path]]:
    paths = [path for path in (config.tls_cert, config.tls_key, config.tls_client_ca) if path is not None]
    certificate, key = (read_pem(paths[i], WHERE + name) for i, name in enumerate(("tls_cert", "tls_key")))
    check_pair(certificate, key, f"{WHERE}tls_cert and tls_key")
    client_ca = None
    if config.tls_client_ca is not None:
        client_ca = read_pem(config.tls_client_ca, f"{WHERE}tls_client_ca")
        load_client_ca(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), client_ca, f"{WHERE}tls_client_ca")
    return grpc.ssl_server_certificate_configuration([(key, certificate)], client_ca), paths


async def accepts_tls12(host: str, port: int) -> bool:
    """Whether the server, which listens on `host` and `port`, would speak TLS 1.2. Raises OSError and TimeoutError."""
    async with asyncio.timeout(PROBE_SECONDS):
        reader, writer = await asyncio.open_connection("localhost" if host in ALL_INTERFACES else host, port)
        try:
            writer.write(_client_hello())
            return await reader.read(1) == HANDSHAKE
        except ConnectionError:
            return False
        finally:
            writer.close()


def _client_hello() -> bytes:
    """How a client begins that speaks no later version than TLS 1.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()
