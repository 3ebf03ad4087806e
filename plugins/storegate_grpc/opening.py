"""Opens the front end `grpc`, after setting what the gRPC library reads from the environment when it is loaded."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from storegate.errors import ConfigurationError
from storegate.tls import openssl_ciphers
from storegate.types import PluginContext
from storegate_grpc.config import GrpcConfig

if TYPE_CHECKING:
    from storegate_grpc.frontend import GrpcFrontEnd

CIPHERS = "GRPC_SSL_CIPHER_SUITES"
NONE_OF_TLS12 = "ECDHE-PSK-AES128-CBC-SHA"
"""A list that leaves TLS 1.2 without a cipher, since the server has no pre-shared keys: only TLS 1.3 is left."""


def open_frontend(config: GrpcConfig, context: PluginContext) -> GrpcFrontEnd:
    """The front end. Raises ConfigurationError, also for TLS rules that come too late for the library."""
    set_tls_rules(config, context.log)
    from storegate_grpc.frontend import GrpcFrontEnd

    return GrpcFrontEnd(config, context)


def set_tls_rules(config: GrpcConfig, log: Any) -> None:
    """Set the ciphers of the whole process (of gRPC clients, too): gRPC for Python has no other door for them."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # else each failed handshake of a stranger writes to stderr
    wanted = wanted_ciphers(config)
    present = os.environ.get(CIPHERS)
    if config.tls_min_version in ("1.0", "1.1") and config.tls_cert is not None:
        log.info("gRPC speaks TLS 1.2 at the least", asked=config.tls_min_version)
    if wanted is None or wanted == present:
        return
    if "grpc" in sys.modules:
        raise ConfigurationError(
            "front end grpc, tls_min_version and tls_ciphers (--grpc-server-tls-...): the gRPC library was loaded"
            f" before these rules were read; start the program with {CIPHERS}={wanted} in its environment"
        )
    if present is not None:
        log.warning("the settings of TLS replace a variable of the environment", variable=CIPHERS, was=present)
    os.environ[CIPHERS] = wanted


def wanted_ciphers(config: GrpcConfig) -> str | None:
    """The list for BoringSSL; None when the settings ask for nothing that its own list does not give."""
    if config.tls_cert is None:
        return None
    if config.tls_min_version == "1.3":
        return NONE_OF_TLS12
    if config.tls_ciphers:
        return openssl_ciphers(config.tls_ciphers) or NONE_OF_TLS12
    return None
