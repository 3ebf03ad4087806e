"""The ASGI application: pages, their data, their static files, and headers that keep everything else out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storegate_ui.actions import cancel
from storegate_ui.blocks import block_document, blocks_document, meta_document
from storegate_ui.config import UiConfig
from storegate_ui.files import StaticFiles
from storegate_ui.pages import PAGES, Pages, prefix_of

if TYPE_CHECKING:
    from storegate.gateway import Gateway

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
HOME = "/loaded"


def make_app(gateway: Gateway, config: UiConfig) -> ASGIApp:
    """All of it. Endpoints that are not async are run on worker threads: they look at every block."""
    files = StaticFiles()
    pages = Pages(gateway, config, files)

    def home(request: Request) -> Response:
        return RedirectResponse(prefix_of(request) + HOME, 302)

    def data(request: Request) -> Response:
        return _revalidated(request, blocks_document(gateway))

    def block(request: Request) -> Response:
        document = block_document(gateway, request.path_params["ulid"])
        if document is None:
            raise HTTPException(404)
        return _revalidated(request, document)

    def meta(request: Request) -> Response:
        ulid = request.path_params["ulid"]
        document = meta_document(gateway, ulid)
        if document is None:
            raise HTTPException(404)
        disposition = {"Content-Disposition": f'attachment; filename="{ulid}.meta.json"'}
        return Response(document, headers=disposition, media_type="application/json")

    def cancel_query(request: Request) -> Response:
        return cancel(gateway, request)

    def page(name: str) -> Callable[[Request], Response]:
        return lambda request: pages.render(name, request)

    def missing(request: Request, error: Exception) -> Response:
        return pages.render("missing", request, status=404)

    routes = [
        Route("/", home),
        *(Route(f"/{name}", page(name)) for name in PAGES if name != "missing"),
        Route("/blocks", page("loaded")),  # the other page of the reference's UI
        Route("/ui/blocks.json", data),
        Route("/ui/blocks/{ulid}.json", block),
        Route("/ui/blocks/{ulid}/meta.json", meta),
        Route("/ui/queries/cancel", cancel_query, methods=["POST"]),
        Route("/ui/static/{name}", files.answer),
    ]
    return _Headers(Starlette(routes=routes, exception_handlers={404: missing}))


def _revalidated(request: Request, body: bytes) -> Response:
    """JSON, or 304 when the browser has the same already."""
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


class _Headers:
    """Adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message.get("headers", ())))
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                message = {**message, "headers": headers.raw}
            await send(message)

        await self._app(scope, receive, send_with_headers)
