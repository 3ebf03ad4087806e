"""An HTTP proxy on loopback that harms connections on the way to a real server.

    with FlakyProxy("127.0.0.1:9000") as proxy:                     # point the client at proxy.address
        proxy.add(HttpFault(method="GET", times=5, status=503, headers={"Retry-After": "1"}))
        proxy.add(HttpFault(path="*/index", times=1, cut_after=1000))  # a reset in the middle of the body
        proxy.kill()                                                # nobody listens, connections are reset
        proxy.resume()

It passes on requests as they are, so that signatures stay right. Plain HTTP/1.1 only.
"""

from __future__ import annotations

import http.client
import os
import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from storegate.testing.faults import Occurrences

TIMEOUT = 60.0
"""Seconds after which the proxy gives up on its server, and a stalled answer on its client."""
HOP_BY_HOP = frozenset({"connection", "keep-alive", "expect", "transfer-encoding", "proxy-connection"})
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 seconds


@dataclass(frozen=True, kw_only=True)
class HttpFault(Occurrences):
    """What goes wrong with which requests, in this order.

    `method` and `path` (with the query) are shell patterns, where `*` also matches `/`.
    """

    method: str = "*"
    path: str = "*"
    delay: float = 0.0
    """Seconds before the request is passed on."""
    status: int | None = None
    """Answered instead of asking the server, with `headers` and `body`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    stall_after: int | None = None
    """Bytes of the body after which nothing comes until `release`, `kill` or `close`."""
    cut_after: int | None = None
    """Bytes of the body after which the connection is reset."""

    def matches(self, method: str, path: str) -> bool:
        """Whether both patterns fit."""
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path)


class FlakyProxy:
    """Listens from the start, on a free port that stays the same. All methods may be called from any thread."""

    def __init__(self, upstream: str) -> None:
        """`upstream` is the address of the server, `host:port`."""
        self.upstream = upstream
        self._lock = threading.Lock()
        self._faults: dict[int, tuple[HttpFault, int]] = {}  # in order of their addition, with the matching requests
        self._added = 0
        self._requests: list[tuple[str, str]] = []
        self._connections: set[socket.socket] = set()
        self._released = threading.Event()
        self.stalled = threading.Event()
        """Set once an answer stalls."""
        self._server: _Server | None = None
        self._listen(0)

    def __enter__(self) -> FlakyProxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Where it listens, `host:port`."""
        return f"127.0.0.1:{self._port}"

    def add(self, fault: HttpFault) -> None:
        """One more fault, which counts requests from now on."""
        with self._lock:
            self._added += 1
            self._faults[self._added] = (fault, 0)

    def clear(self) -> None:
        """Remove all faults; what stalls goes on stalling."""
        with self._lock:
            self._faults.clear()

    def release(self) -> None:
        """Let what stalls go on."""
        with self._lock:
            self._released.set()
            self._released = threading.Event()
            self.stalled.clear()

    def requests(self, method: str = "*", path: str = "*") -> list[tuple[str, str]]:
        """Method and path of the requests so far, those that were struck as well."""
        with self._lock:
            return [asked for asked in self._requests if HttpFault(method=method, path=path).matches(*asked)]

    def kill(self) -> None:
        """Listen no more, and reset all connections."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    reset(connection)
        self.release()

    def resume(self) -> None:
        """Listen again, on the same port."""
        if self._server is None:
            self._listen(self._port)

    def close(self) -> None:
        """The end."""
        self.kill()

    def _listen(self, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.proxy = self
        self._port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="flaky-proxy", daemon=True).start()

    def _strike(self, method: str, path: str) -> HttpFault | None:
        """Count the request; the first fault that strikes it."""
        struck = None
        with self._lock:
            self._requests.append((method, path))
            for number, (fault, count) in self._faults.items():
                if fault.matches(method, path):
                    self._faults[number] = (fault, count + 1)
                    if struck is None and fault.strikes(count + 1):
                        struck = fault
        return struck

    def _stall(self) -> None:
        with self._lock:
            released = self._released
            self.stalled.set()
        released.wait(TIMEOUT)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    proxy: FlakyProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that end early are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, and the one to the server that belongs to it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._proxy = self.server.proxy
        self._upstream = http.client.HTTPConnection(self._proxy.upstream, timeout=TIMEOUT)
        with self._proxy._lock:
            self._proxy._connections.add(self.connection)

    def finish(self) -> None:
        with self._proxy._lock:
            self._proxy._connections.discard(self.connection)
        self._upstream.close()
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""

    def _pass_on(self) -> None:
        body = self._read_body()
        fault = self._proxy._strike(self.command, self.path) or HttpFault()
        if fault.delay:
            threading.Event().wait(fault.delay)
        if fault.status is not None:
            self._answer(fault.status, [*fault.headers.items(), ("Content-Length", str(len(fault.body)))], fault.body)
            return
        answer = self._ask(body)
        content = answer.read()
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
        if answer.getheader("Content-Length") is None:
            headers.append(("Content-Length", str(len(content))))
        self._answer(answer.status, headers, content, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do_OPTIONS = _pass_on

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _ask(self, body: bytes) -> http.client.HTTPResponse:
        """The answer of the server; it closes a connection that was idle for long, so a second one is tried."""
        for last in (False, True):
            try:
                self._upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in HOP_BY_HOP | {"content-length"}:
                        self._upstream.putheader(name, value)
                if body or "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
                    self._upstream.putheader("Content-Length", str(len(body)))
                self._upstream.endheaders(body)
                return self._upstream.getresponse()
            except (OSError, http.client.HTTPException):
                self._upstream.close()
                if last:
                    raise
        raise AssertionError

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, fault: HttpFault | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        content = b"" if self.command == "HEAD" else body
        done = 0
        if fault is not None and fault.stall_after is not None:
            self.wfile.write(content[: fault.stall_after])
            done = fault.stall_after
            self._proxy._stall()
        if fault is not None and fault.cut_after is not None:
            self.wfile.write(content[done : fault.cut_after])
            reset(self.connection)
            self.close_connection = True
            return
        self.wfile.write(content[done:])


def reset(connection: socket.socket) -> None:
    """End a connection at once, so that the peer gets a reset and no orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    connection.shutdown(socket.SHUT_RD)  # wakes whoever reads; a close alone would not
    os.close(connection.detach())  # at once, though files of it are still open
