"""Log lines about requests of the API, where `--request.logging-config` asks for them (operations 14)."""

from __future__ import annotations

import time
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storegate.config.request_logging import CallLogging, Level


class Logged:
    """An application whose requests are logged, by the rules, under the name of a handler."""

    def __init__(self, app: ASGIApp, handler: str, rules: CallLogging, log: Any) -> None:
        self._app = app
        self._handler = handler
        self._rules = rules
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if not self._rules.covers((scope["path"], _port(headers.get("host", "")))):
            await self._app(scope, receive, send)
            return
        status = 500  # what a client gets when the application fails before it answers

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        keys = self._keys(scope, headers)
        if self._rules.start:
            self._write("debug", "started call", keys)
        try:
            await self._app(scope, receive, noting_send)
        finally:
            keys |= {"http.status_code": status, "http.time_ms": round((time.perf_counter() - began) * 1000, 3)}
            self._write("debug" if 200 <= status < 500 else "error", "finished call", keys)

    def _keys(self, scope: Scope, headers: Headers) -> dict[str, Any]:
        client = scope.get("client") or ("", 0)
        keys = {
            "protocol": "http",
            "http.component": "server",
            "http.method": scope["method"],
            "http.request_id": headers.get("x-request-id", ""),
            "http.user_agent": headers.get("user-agent", ""),
            "http.remote_addr": headers.get("x-forwarded-for") or f"{client[0]}:{client[1]}",
            "thanos.method_name": self._handler,
        }
        return {key: value for key, value in keys.items() if value}

    def _write(self, level: Level, message: str, keys: dict[str, Any]) -> None:
        if self._rules.keeps(level):
            getattr(self._log, level)(message, **keys)


def _port(host: str) -> int:
    """The port in a Host header; 0 without one."""
    _, _, port = host.rpartition(":")
    return int(port) if port.isdecimal() else 0
