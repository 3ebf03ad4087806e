"""TLS to a collector over HTTP, by the rules that all clients of storegate share."""

from __future__ import annotations

from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import InsecureRequestWarning

from storegate.config.http_client import TlsClientConfig


def tls_session(tls: TlsClientConfig) -> requests.Session:
    """A session whose TLS is that of the configuration. Raises ConfigurationError for files that cannot be used."""
    session = requests.Session()
    session.mount("https://", _Adapter(tls))
    return session


class _Adapter(HTTPAdapter):
    """Connections by one context; what requests itself would say about certificates is left out."""

    def __init__(self, tls: TlsClientConfig) -> None:
        self._tls: dict[str, Any] = {"ssl_context": tls.ssl_context("tracing.config.tls_config")}
        if tls.server_name:
            self._tls |= {"server_hostname": tls.server_name, "assert_hostname": tls.server_name}
        if tls.insecure_skip_verify:
            self._tls |= {"assert_hostname": False}
            urllib3.disable_warnings(InsecureRequestWarning)  # it was asked for
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **more, **self._tls)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """The context has settled it."""
