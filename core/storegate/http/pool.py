"""Connections to one server, kept and shared by all threads, over urllib3."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import InsecureRequestWarning

from storegate.config.http_client import HttpClientConfig
from storegate.errors import ConfigurationError
from storegate.http.answers import BodyError, StatusError, promised_length

KEEPALIVE = 30  # s; fixed (operations 12)
ERROR_BODY = 64 * 1024
PIECE = 256 * 1024
"""Bytes taken from a connection at a time: urllib3 copies each piece once, while it is in the CPU's cache."""


def byte_range(offset: int, size: int) -> str:
    """The value of a header `Range`; `size` is at least 1."""
    return f"bytes={offset}-{offset + size - 1}"


def quiet(config: HttpClientConfig, log: Any, *loggers: str) -> None:
    """Say once what of `config` is dangerous or without effect; keep urllib3 and `loggers` to warnings.

    Below that they write a line for each request, with the signatures that its URL or headers hold.
    """
    if config.idle_conn_timeout != HttpClientConfig().idle_conn_timeout:
        log.warning("http_config.idle_conn_timeout has no effect: connections are kept until the store ends them")
    if not config.verify:
        log.warning("http_config: the certificate of the store is not verified")
        urllib3.disable_warnings(InsecureRequestWarning)
    for name in loggers:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # a warning for each connection over the size of the pool


class Reply(NamedTuple):
    """A successful answer."""

    headers: Mapping[str, str]
    body: bytes


class HttpPool:
    """Connections to the server of `endpoint` (scheme, host, port). Thread-safe.

    Requests are made once, redirects are not followed. Raises ConfigurationError, opened by `where`, for an endpoint or
    TLS files that cannot be used. Proxies come from the environment. `read_timeout` (s) lowers that of `config`.
    """

    def __init__(
        self, config: HttpClientConfig, endpoint: str, where: str, *, read_timeout: float | None = None
    ) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"{where}: endpoint: {endpoint!r} is not a URL such as https://host:port")
        origin = f"{parts.scheme}://{parts.netloc}"
        self._proxy = "" if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme, "")
        self._connect_timeout = config.connect_timeout
        self._read_timeout = min(config.read_timeout, read_timeout or config.read_timeout)
        self._manager = self._open(config, where, secure=parts.scheme == "https")
        self._pool = self._manager.connection_from_url(origin)
        self._prefix = origin if self._proxy and parts.scheme == "http" else ""  # such proxies want whole URLs

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """The answer to one request, whole. `target` is path and query, encoded.

        Raises StatusError when it is no success, and the errors of urllib3.
        """
        with self._opened(method, target, headers, body) as response:
            return Reply(response.headers, response.read())

    def read_range(self, target: str, headers: Mapping[str, str], offset: int, buffer: memoryview) -> int:
        """Fill `buffer` with the bytes of `target` from `offset`; how many came, fewer only where the object ends.

        `headers` hold the `byte_range`, so that it can be signed. Raises StatusError, BodyError, and the errors of
        urllib3.
        """
        view = buffer.cast("B")
        try:
            with self._opened("GET", target, headers, None) as response:
                return _fill(view, response, promised_length(response.status, response.headers, offset, len(view)))
        except StatusError as error:
            if error.status == 416:  # the object ends before the range
                return 0
            raise

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._manager.clear()

    @contextmanager
    def _opened(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """A successful answer, its body still unread. The block reads all of it, or ends with an error."""
        response = self._pool.urlopen(
            method,
            self._prefix + target,
            body=body,
            headers=urllib3.HTTPHeaderDict(headers) if self._proxy else headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            pool_timeout=self._read_timeout,  # type: ignore[arg-type]  # a float will do
            preload_content=False,
            decode_content=False,
        )
        try:
            if not 200 <= response.status < 300:
                # some servers send a body after a 416 that has none: its connection is not used again
                body = b"" if response.status == 416 else response.read(ERROR_BODY)
                raise StatusError(response.status, response.headers, body)
            yield response
        except BaseException:
            response.close()  # what is left of the body would be taken for the next answer
            raise
        finally:
            response.release_conn()  # a closed one too: it counts among those that a pool may have

    def _open(self, config: HttpClientConfig, where: str, *, secure: bool) -> urllib3.PoolManager:
        options: dict[str, Any] = {
            "maxsize": config.pool_size,
            "block": config.pool_blocks,
            "timeout": urllib3.Timeout(connect=self._connect_timeout, read=self._read_timeout),
            "retries": False,
            "socket_options": [
                *HTTPConnection.default_socket_options,
                (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
                (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE),
                (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE),
            ],
        }
        if secure:
            options["ssl_context"] = config.ssl_context(where)
            if config.tls_config.server_name:
                options["server_hostname"] = config.tls_config.server_name
        if not self._proxy:
            return urllib3.PoolManager(**options)
        proxy = urlsplit(self._proxy if "://" in self._proxy else f"http://{self._proxy}")
        if proxy.scheme not in ("http", "https"):
            raise ConfigurationError(f"{where}: the environment names a {proxy.scheme} proxy: only HTTP ones work")
        credentials = unquote(proxy.netloc.rpartition("@")[0]) or None
        return urllib3.ProxyManager(
            f"{proxy.scheme}://{proxy.netloc.rpartition('@')[2]}",
            proxy_headers=urllib3.make_headers(proxy_basic_auth=credentials),
            **options,
        )


def _fill(view: memoryview, response: urllib3.BaseHTTPResponse, expected: int) -> int:
    done = 0
    while done < expected:
        done += (got := response.readinto(view[done : min(expected, done + PIECE)]))
        if not got:
            raise BodyError(f"the answer ended after {done} of {expected} bytes")
    if response.read(1):
        raise BodyError(f"the answer goes on after {expected} bytes")
    return expected
