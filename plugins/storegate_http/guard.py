"""What every request passes first, mounted applications included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storegate_http.auth import PasswordChecker, TooBusyError, parse_basic
from storegate_http.config import HttpConfig
from storegate_http.web_file import WebState

CLOSE = {"Connection": "close"}


class Guard:
    """Adds the headers of `--http.config`; keeps its rate limit and its users; limits bodies; turns errors into 500.

    The order is that of the reference: probes and metrics are neither exempt from the rate limit nor from passwords.
    """

    def __init__(
        self, app: ASGIApp, config: HttpConfig, web: Callable[[], WebState], passwords: PasswordChecker, log: Any
    ) -> None:
        self._app = app
        self._web = web
        self._passwords = passwords
        self._max_header = config.max_header_size
        self._max_body = config.max_body_size
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        state = self._web()
        answer = _Answer(send, state.headers)
        try:
            app = await self._refusal(scope, state) or self._app
            await app(scope, _Body(receive, self._max_body).receive, answer.send)
        except asyncio.CancelledError:  # the server stops, and the time of grace has passed
            await answer.give_up(scope, receive, PlainTextResponse("The gateway stops", 503, CLOSE))
        except ClientDisconnect:
            pass  # nobody is left to hear what went wrong
        except HTTPException as error:
            await answer.give_up(scope, receive, PlainTextResponse(error.detail, error.status_code, error.headers))
        except Exception as error:
            self._log.error("unexpected error in an HTTP handler", path=scope["path"], exc_info=error)
            await answer.give_up(scope, receive, PlainTextResponse("Internal Server Error", 500))

    async def _refusal(self, scope: Scope, state: WebState) -> Response | None:
        """The answer to a request that is not let in."""
        if _header_size(scope) > self._max_header:  # h11 only limits headers that come in parts
            return PlainTextResponse("Request header too large", 431, CLOSE)
        if state.limiter is not None and not state.limiter.allows():
            return PlainTextResponse("Too Many Requests", 429)
        headers = dict(scope["headers"])
        if b"content-length" in headers and b"transfer-encoding" in headers:
            # a proxy in front that goes by the other one would see two requests where there is one
            return PlainTextResponse("Content-Length and Transfer-Encoding exclude each other", 400, CLOSE)
        if state.users:
            try:
                given = parse_basic(headers.get(b"authorization", b""))
                if given is None or not await self._passwords.accepts(given, state.users):
                    return PlainTextResponse("Unauthorized", 401, {"WWW-Authenticate": "Basic"})
            except TooBusyError:
                return PlainTextResponse("Too many passwords are being checked", 503, {"Retry-After": "1"})
        if int(headers.get(b"content-length", b"0")) > self._max_body:
            return PlainTextResponse("Request body too large", 413, CLOSE)
        return None


class _Body:
    """Counts what a client sends."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413, "Request body too large", CLOSE)
        return message


class _Answer:
    """Knows whether an answer has begun."""

    def __init__(self, send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._send = send
        self._headers = headers
        self._begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
        await self._send(message)

    async def give_up(self, scope: Scope, receive: Receive, response: Response) -> None:
        """Answer with `response`, unless it is too late; then the server ends the connection in the middle."""
        if not self._begun:
            with suppress(ClientDisconnect):
                await response(scope, receive, self.send)


def _header_size(scope: Scope) -> int:
    return len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(n) + len(v) + 4 for n, v in scope["headers"])
