"""Pooled connections to the store: TLS, proxies, timeouts, and the trace of requests."""

from __future__ import annotations

import logging
import math
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import InsecureRequestWarning

from storegate.config.http_client import HttpClientConfig
from storegate_s3.config import S3Config

KEEPALIVE = 30  # s; fixed (operations 12). It finds peers that vanished while a connection was idle
SHOWN = frozenset(
    {"accept-ranges", "content-length", "content-range", "content-type", "etag", "last-modified", "location", "range"}
    | {"retry-after", "server", "x-amz-bucket-region", "x-amz-id-2", "x-amz-request-id", "x-amz-storage-class"}
)
"""Headers that a trace holds; all others may carry keys, tokens or signatures."""

Pool = urllib3.HTTPConnectionPool


class Transport:
    """Sends requests, one attempt each. Thread-safe. Raises urllib3's errors.

    Raises ConfigurationError for TLS files that cannot be used. Connections are kept for the next request, as many as
    `http_config` says; no wait is without a limit.
    """

    def __init__(self, config: S3Config, log: Any) -> None:
        self._http = config.http_config
        self._trace = log.debug if config.trace.enable else None
        self._options = _options(self._http, config)
        self._pools: dict[str, tuple[Pool, str]] = {}
        self._lock = threading.Lock()
        _warn(self._http, log)

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> urllib3.BaseHTTPResponse:
        """The answer, its body still unread: read it whole, or close it."""
        origin_end = url.index("/", url.index("://") + 3)
        pool, prefix = self._pools.get(url[:origin_end]) or self._add_pool(url[:origin_end])
        started = time.perf_counter()
        response = pool.urlopen(
            method,
            prefix + url[origin_end:],
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            pool_timeout=math.ceil(self._http.read_timeout),
            preload_content=False,
            decode_content=False,  # an object is its bytes, whatever Content-Encoding it was put with
        )
        if self._trace is not None:
            self._trace(
                "s3 request",
                method=method,
                url=url,
                sent=_shown(headers),
                status=response.status,
                received=_shown(response.headers),
                seconds=round(time.perf_counter() - started, 6),
            )
        return response

    def close(self) -> None:
        """Close idle connections, and those in use when their request ends."""
        with self._lock:
            for pool, _ in self._pools.values():
                pool.close()

    def _add_pool(self, origin: str) -> tuple[Pool, str]:
        """The pool of `scheme://host:port`, and what goes before the path: the origin, where a proxy forwards HTTP."""
        with self._lock:
            if origin not in self._pools:
                self._pools[origin] = self._open_pool(origin)
            return self._pools[origin]

    def _open_pool(self, origin: str) -> tuple[Pool, str]:
        parts = urlsplit(origin)
        proxy = getproxies().get(parts.scheme)
        if proxy is None or proxy_bypass(parts.netloc):
            return urllib3.PoolManager(**self._options).connection_from_url(origin), ""
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        login = urlsplit(proxy)
        user = f"{login.username}:{login.password or ''}" if login.username else None
        manager = urllib3.ProxyManager(
            proxy, proxy_headers=urllib3.make_headers(proxy_basic_auth=user), **self._options
        )
        return manager.connection_from_url(origin), origin if parts.scheme == "http" else ""


def _options(http: HttpClientConfig, config: S3Config) -> dict[str, Any]:
    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(connect=http.connect_timeout, read=http.read_timeout),
        "maxsize": http.pool_size,
        "block": http.pool_blocks,
        "socket_options": [
            *HTTPConnection.default_socket_options,
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE),
        ],
    }
    if not config.insecure:
        options["ssl_context"] = http.ssl_context("S3 bucket")
        if http.tls_config.server_name:
            options["server_hostname"] = http.tls_config.server_name
    return options


def _warn(http: HttpClientConfig, log: Any) -> None:
    """Say once what has no effect or is dangerous, and keep the libraries from writing more, or secrets."""
    if http.idle_conn_timeout != HttpClientConfig().idle_conn_timeout:
        log.warning(
            "http_config.idle_conn_timeout has no effect for S3: connections are kept until the store ends them"
        )
    if not http.verify:
        log.warning("http_config: the certificate of the store is not verified")
        urllib3.disable_warnings(InsecureRequestWarning)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a warning for each connection too many
    logging.getLogger("botocore").setLevel(logging.INFO)  # its debug lines hold signatures


def _shown(headers: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value!r}" for name, value in headers.items() if name.lower() in SHOWN)
