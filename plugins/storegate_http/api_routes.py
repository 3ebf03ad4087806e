"""What all of `/api/v1/` has in common: CORS, the answer to OPTIONS, and errors in the envelope."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storegate_http.api import failure

PREFIX = "/api/v1/"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, Accept-Encoding, Authorization, Content-Type, Origin",
    "Access-Control-Expose-Headers": "Date",
}


class Cors:
    """Adds the headers to all answers below the prefix, also to those of mounted applications that have none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": list(message.get("headers", ()))}
                headers = MutableHeaders(raw=message["headers"])
                for name, value in CORS.items():
                    headers.setdefault(name, value)
            await send(message)

        below = scope["path"].startswith(PREFIX)
        await self._app(scope, receive, send_with_headers if below else send)


class OwnRoute(Route):
    """Answers its path whatever the method: 405 to a wrong one, where an application mounted at `/` would say 404."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found, child = super().matches(scope)
        return (Match.FULL if found is Match.PARTIAL else found), child


class OptionsRoute(BaseRoute):
    """OPTIONS of any path below the prefix: 204."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found = scope["type"] == "http" and scope["method"] == "OPTIONS" and scope["path"].startswith(PREFIX)
        return (Match.FULL if found else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def no_content(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers 204."""
    await Response(status_code=204)(scope, receive, send)


class Enveloped:
    """An endpoint whose unexpected errors become an error of the API."""

    def __init__(self, app: ASGIApp, log: Any) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting_send(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except (HTTPException, ClientDisconnect):
            raise
        except Exception as error:
            if begun:
                raise
            self._log.error("unexpected error in the HTTP API", path=scope["path"], exc_info=error)
            text = f"unexpected {type(error).__name__}; the gateway's log has the details"
            await failure("internal", text)(scope, receive, send)
