"""An HTTP server on loopback that answers what a test says and remembers what it was asked."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came: `path` still encoded (a proxy gets a whole URL), names of headers in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What to answer: after `delay` seconds, or when `held` is set; only `sent` bytes of the body (None: all)."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    held: threading.Event | None = None
    sent: int | None = None
    reset: bool = False  # the connection ends with a reset after the `sent` bytes


Script = Callable[[Asked], Answer]


class ScriptedServer:
    """Listens from the start. `script` may be replaced at any time. With a context it speaks TLS."""

    def __init__(self, script: Script, context: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.connections = 0  # that brought a request
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self, self._stopping))
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Held answers are given up."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away, or refused the certificate, are what tests are about."""


def _handler(scripted: ScriptedServer, stopping: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            scripted.connections += 1

        def parse_request(self) -> bool:
            known = super().parse_request()
            if known:
                setattr(self, f"do_{self.command}", self.answer)
            return known

        def answer(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            asked = Asked(self.command, self.path.partition("?")[0], query, headers, body)
            scripted.asked.append(asked)
            answer = scripted.script(asked)
            stopping.wait(answer.delay)
            self.write_head(answer)
            if answer.sent is not None:
                self.wfile.write(answer.body[: answer.sent])
                self.close_connection = True
                if answer.held is not None:
                    answer.held.wait(60)
                if answer.reset:
                    _reset(self.connection)
            elif self.command != "HEAD":
                self.wfile.write(answer.body)

        def write_head(self, answer: Answer) -> None:
            if answer.held is not None and answer.sent is None:
                answer.held.wait(60)
            self.send_response_only(answer.status)
            if "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is written: `asked` holds everything."""

    return Handler


def _reset(connection: Any) -> None:
    """End a connection so that the peer gets a reset, not an orderly end."""
    import socket
    import struct

    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
