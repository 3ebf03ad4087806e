"""The HTTP server: uvicorn on a thread of its own."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.types import ASGIApp

from storegate.errors import ConfigurationError
from storegate.listen import join_address, open_listener, parse_address
from storegate.types import PluginContext
from storegate_http.app import HttpApp
from storegate_http.config import HttpConfig

if TYPE_CHECKING:
    from storegate.gateway import Gateway

SETTING = "front end http, address (--http-address)"


def open_frontend(config: HttpConfig, context: PluginContext) -> HttpFrontEnd:
    return HttpFrontEnd(config, context)


class HttpFrontEnd:
    """Serves probes and metrics. `start` and `stop` may be called from any thread, each once."""

    def __init__(self, config: HttpConfig, context: PluginContext) -> None:
        if config.config_file is not None:
            raise ConfigurationError(
                f"front end http, config_file (--http.config): {config.config_file} would switch on TLS or"
                " authentication, and this version has neither: remove the setting and put a proxy in front"
            )
        parse_address(config.address, SETTING)
        self.address = config.address
        self.app: HttpApp | None = None
        self._config = config
        self._log: Any = context.log
        self._registry = context.registry
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, gateway: Gateway) -> None:
        """Listen and serve. Raises ConfigurationError when the address is taken or wrong."""
        self.app = HttpApp(gateway, self._registry)
        listener = open_listener(self._config.address, SETTING)
        port = listener.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.app.starlette,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                proxy_headers=False,
                log_level="warning",
                loop="asyncio",
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="http-loop", daemon=True
        )
        self._thread.start()  # connections queue on the listener until the loop runs
        self.address = join_address(parse_address(self._config.address, SETTING)[0], port)
        self._log.info("listening for HTTP", address=self.address)

    def mount(self, path: str, app: ASGIApp) -> None:
        """Answer everything below `path` with another ASGI application, on this server. Call after `start`."""
        if self.app is None:
            raise RuntimeError("mount an application after the front end was started")
        self.app.mount(path, app)

    def stop(self, grace: float) -> None:
        """Refuse new connections; running requests end within `grace` or the configured grace period."""
        if self._thread is None or self._server is None:
            return
        self._server.config.timeout_graceful_shutdown = math.ceil(min(grace, self._config.grace_period))
        self._server.should_exit = True
        self._thread.join()
        self._thread = None
