"""The HTTP application: probes, metrics, a front page, and whatever is mounted later."""

from __future__ import annotations

import gzip
import html
from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from storegate.gateway import Gateway

GZIP_FROM = 1024  # bytes
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>storegate</title></head>
<body>
<h1>storegate</h1>
<p>A store gateway for Prometheus metrics in object storage.</p>
<ul>
{links}
</ul>
</body>
</html>
"""


class HttpApp:
    """An ASGI application whose routes can be extended while it runs.

    `mount` and `links` let other front ends add pages to the same server: later mounts come after the fixed paths.
    """

    def __init__(self, gateway: Gateway, registry: CollectorRegistry) -> None:
        self.links: dict[str, str] = {
            "/metrics": "metrics for Prometheus",
            "/-/healthy": "is the process alive?",
            "/-/ready": "are the blocks loaded?",
        }
        self._registry = registry
        self.starlette = Starlette(
            routes=[
                Route("/-/healthy", Probe(lambda: gateway.healthy)),
                Route("/-/ready", Probe(lambda: gateway.ready)),
                Route("/metrics", self._metrics),
                Route("/", self._front_page),
            ]
        )
        self.starlette.router.redirect_slashes = False

    def mount(self, path: str, app: ASGIApp) -> None:
        """Answer `path` and everything below it with `app`. Thread-safe."""
        self.starlette.router.routes += [Route(path, app), Mount(path, app)]  # a mount alone wants a slash

    def _metrics(self, request: Request) -> Response:
        """Not async: Starlette runs it on a worker thread, for it renders tens of thousands of lines."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = encode(self._registry)
        headers = {"Content-Type": content_type, "Vary": "Accept-Encoding"}
        if len(body) >= GZIP_FROM and "gzip" in request.headers.get("accept-encoding", ""):
            body = gzip.compress(body, compresslevel=3)
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)

    async def _front_page(self, request: Request) -> Response:
        links = (
            f'<li><a href="{html.escape(path.lstrip("/"))}">{html.escape(path)}</a>: {html.escape(text)}</li>'
            for path, text in self.links.items()
        )
        return HTMLResponse(PAGE.format(links="\n".join(links)))


class Probe:
    """200 `OK` or 503 `NOT OK`, whatever the method. An ASGI application: Starlette filters no methods for those."""

    def __init__(self, check: Callable[[], bool]) -> None:
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = PlainTextResponse("OK", 200) if self._check() else PlainTextResponse("NOT OK", 503)
        await response(scope, receive, send)
