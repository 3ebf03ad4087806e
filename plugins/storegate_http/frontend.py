"""The HTTP server: uvicorn on a thread of its own."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

from storegate.listen import join_address, open_listener, parse_address
from storegate.types import PluginContext
from storegate_http.app import HttpApp
from storegate_http.config import HttpConfig
from storegate_http.server import Server
from storegate_http.web_file import open_web_file

if TYPE_CHECKING:
    from storegate.gateway import Gateway

SETTING = "front end http, address (--http-address)"


def open_frontend(config: HttpConfig, context: PluginContext) -> HttpFrontEnd:
    return HttpFrontEnd(config, context)


class HttpFrontEnd:
    """Serves probes, metrics, the API and profiles. `start` and `stop` may be called from any thread, each once.

    Raises ConfigurationError for an address or a file of `--http.config` that cannot be used.
    """

    def __init__(self, config: HttpConfig, context: PluginContext) -> None:
        parse_address(config.address, SETTING)
        self.address = config.address
        self.app: HttpApp | None = None
        self._config = config
        self._log: Any = context.log
        self._registry = context.registry
        self._web = open_web_file(config.config_file, context.log)
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, gateway: Gateway) -> None:
        """Listen and serve. Raises ConfigurationError when the address is taken or wrong."""
        self.app = HttpApp(gateway, self._registry, self._config, self._web, self._log)
        listener = open_listener(self._config.address, SETTING)
        port = listener.getsockname()[1]
        self._server = Server(self.app, self._config, self._web, self._log)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="http-loop", daemon=True
        )
        self._thread.start()  # connections queue on the listener until the loop runs
        self.address = join_address(parse_address(self._config.address, SETTING)[0], port)
        state = self._web()
        self._log.info(
            "listening for HTTP", address=self.address, tls=state.context is not None, users=len(state.users)
        )

    def mount(self, path: str, app: ASGIApp, *, handler: str = "") -> None:
        """Answer `path` and everything below it with another ASGI application, on this server. Call after `start`.

        It has the limits, the users, gzip and the metrics of this server; `handler` is its name in metrics.
        """
        if self.app is None:
            raise RuntimeError("mount an application after the front end was started")
        self.app.mount(path, app, handler=handler)

    def stop(self, grace: float) -> None:
        """Refuse new connections; running requests end within `grace` or the configured grace period."""
        if self._thread is None or self._server is None or self.app is None:
            return
        self.app.stop()
        self._server.config.timeout_graceful_shutdown = math.ceil(min(grace, self._config.grace_period))
        self._server.should_exit = True
        self._thread.join()
        self.app.close()
        self._thread = None
