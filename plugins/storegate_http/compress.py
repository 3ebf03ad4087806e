"""gzip for answers that are long enough and have no other encoding."""

from __future__ import annotations

import asyncio
import gzip
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAST_BYTES = 1024
LEVEL = 4
_COMPRESSIBLE = re.compile(r"text/|application/(json|javascript|openmetrics-text|xml)|image/svg")


class Compress:
    """Compresses whole answers on a worker thread. Answers that come in parts pass as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None

        async def pass_on(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = {**message, "headers": list(message.get("headers", ()))}
                return
            if start is not None:
                headers = MutableHeaders(raw=start["headers"])
                if _is_compressible(headers):
                    headers.add_vary_header("Accept-Encoding")
                    message = await _compressed(message, headers, wanted)
                first, start = start, None
                await send(first)
            await send(message)

        wanted = accepts_gzip(Headers(scope=scope).get("accept-encoding", ""))
        await self._app(scope, receive, pass_on)


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header takes gzip; `q=0` refuses it."""
    for part in header.lower().split(","):
        coding, *parameters = (piece.strip() for piece in part.split(";"))
        if coding in ("gzip", "*"):
            return not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)
    return False


def _is_compressible(headers: MutableHeaders) -> bool:
    return "content-encoding" not in headers and bool(_COMPRESSIBLE.match(headers.get("content-type", "")))


async def _compressed(message: Message, headers: MutableHeaders, wanted: bool) -> Message:
    body = message.get("body", b"")
    if not wanted or message.get("more_body") or len(body) < LEAST_BYTES:
        return message
    body = await asyncio.to_thread(gzip.compress, body, LEVEL)
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(body))
    return {**message, "body": body}
