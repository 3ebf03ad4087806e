"""The HTTP application: probes, metrics, the API, profiles, a front page, and whatever is mounted later."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from storegate_http.api import Api
from storegate_http.api_routes import Cors, Enveloped, OptionsRoute, OwnRoute, no_content
from storegate_http.auth import PasswordChecker
from storegate_http.compress import Compress
from storegate_http.config import HttpConfig
from storegate_http.debug import Debug
from storegate_http.guard import Guard
from storegate_http.http_metrics import Measured, http_metrics
from storegate_http.prefix import SCOPE_KEY, prefix_of
from storegate_http.request_log import Logged
from storegate_http.web_file import WebState

if TYPE_CHECKING:
    from storegate.gateway import Gateway

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

    Fixed paths come first, then mounted applications (the longest path first), then the front page, so that an
    application mounted at `/` takes all that is left. Everything passes the guard.
    """

    def __init__(
        self,
        gateway: Gateway,
        registry: CollectorRegistry,
        config: HttpConfig,
        web: Callable[[], WebState],
        log: Any,
    ) -> None:
        self.links: dict[str, str] = {}
        self._web_settings = gateway.settings.web
        self._request_logging = gateway.settings.request_logging.for_http()
        self._registry = registry
        self._metrics = http_metrics(registry)
        self._log = log
        self._passwords = PasswordChecker()
        self._debug = Debug()
        self._fixed = self._probes(gateway) + self._api(gateway) + self._debug_pages()
        self._mounted: list[tuple[str, ASGIApp]] = []
        self._router = Router(redirect_slashes=False)
        self._set_routes()
        routes: ASGIApp = self._router
        if not self._web_settings.disable_cors:
            routes = Cors(routes)
        self._guard = Guard(self._with_prefix(routes), config, web, self._passwords, log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._guard(scope, receive, send)

    def mount(self, path: str, app: ASGIApp, *, handler: str = "") -> None:
        """Answer `path` and everything below it with `app`, counted in metrics as `handler`. Thread-safe.

        The application finds the prefix for its links in `scope["storegate.prefix"]`.
        """
        path = path.rstrip("/")
        name = handler or path.strip("/").replace("/", "_") or "root"
        self._mounted.append((path, Measured(Compress(app), name, self._metrics)))
        self._mounted.sort(key=lambda mounted: len(mounted[0]), reverse=True)
        self._set_routes()

    def stop(self) -> None:
        """End what would keep the server from stopping."""
        self._debug.close()

    def close(self) -> None:
        """Give threads back, after the server has stopped."""
        self._passwords.close()

    def _set_routes(self) -> None:
        """In one step: requests are being routed meanwhile."""
        routes = list(self._fixed)
        for path, app in self._mounted:
            if path:
                routes.append(Route(path, app))  # a mount alone wants a slash
            routes.append(Mount(path, app))
        self._router.routes = [*routes, Route("/", self._front_page)]

    def _with_prefix(self, app: ASGIApp) -> ASGIApp:
        async def with_prefix(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, SCOPE_KEY: prefix_of(scope, self._web_settings)}, receive, send)

        return with_prefix

    # --- pages ---

    def _probes(self, gateway: Gateway) -> list[BaseRoute]:
        self.links |= {
            "/metrics": "metrics for Prometheus",
            "/-/healthy": "is the process alive?",
            "/-/ready": "are the blocks loaded?",
        }
        metrics = OwnRoute("/metrics", self._metrics_page)
        metrics.app = Compress(metrics.app)
        return [
            Route("/-/healthy", Probe(lambda: gateway.healthy)),
            Route("/-/ready", Probe(lambda: gateway.ready)),
            metrics,
        ]

    def _api(self, gateway: Gateway) -> list[BaseRoute]:
        if self._web_settings.disable:
            return []
        api = Api(gateway, self._log)
        self.links["/api/v1/blocks?view=loaded"] = "the blocks, for programs"
        return [
            OptionsRoute(Measured(no_content, "options", self._metrics)),
            self._api_route("/blocks", api.blocks, "blocks"),
            self._api_route("/blocks/mark", api.mark, "blocks_mark", "POST"),
            self._api_route("/plugins", api.plugins, "plugins"),
            self._api_route("/status/flags", api.flags, "status_flags"),
            self._api_route("/status/config", api.config, "status_config"),
            self._api_route("/status/runtimeinfo", api.runtime, "status_runtime"),
            self._api_route("/status/buildinfo", api.build, "status_build"),
        ]

    def _api_route(self, path: str, endpoint: Callable[[Request], Any], handler: str, method: str = "GET") -> Route:
        route = OwnRoute(f"/api/v1{path}", endpoint, methods=[method])
        measured = Measured(Compress(Enveloped(route.app, self._log)), handler, self._metrics)
        route.app = Logged(measured, handler, self._request_logging, self._log)
        return route

    def _debug_pages(self) -> list[BaseRoute]:
        if self._web_settings.disable_debug:
            return []
        self.links["/debug/pprof/"] = "profiles"
        return [OwnRoute(path, endpoint) for path, endpoint in self._debug.pages().items()]

    def _metrics_page(self, request: Request) -> Response:
        """Not async: Starlette runs it on a worker thread, for it renders tens of thousands of lines."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._registry), headers={"Content-Type": content_type})

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
