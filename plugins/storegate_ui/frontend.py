"""The front end: an application on the HTTP server of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storegate.errors import ConfigurationError
from storegate.types import PluginContext, SupportsMount
from storegate_ui.app import make_app
from storegate_ui.config import UiConfig

if TYPE_CHECKING:
    from storegate.gateway import Gateway

SERVER = "http"
"""The front end whose server is used."""


def open_frontend(config: UiConfig, context: PluginContext) -> UiFrontEnd:
    return UiFrontEnd(config, context)


class UiFrontEnd:
    """Serves the pages. It is early, so that blocks can be watched while they load. Any thread, each method once."""

    def __init__(self, config: UiConfig, context: PluginContext) -> None:
        self.address = ""
        self._config = config
        self._log: Any = context.log

    def start(self, gateway: Gateway) -> None:
        """Mount the application. Raises ConfigurationError when there is no HTTP server."""
        server = gateway.frontend(SERVER)
        if not isinstance(server, SupportsMount):
            raise ConfigurationError(
                f"front end ui: its pages are on the server of the front end {SERVER}, and"
                f" {'none is running' if server is None else 'that takes no applications'}: list {SERVER} in frontends"
                " before ui"
            )
        self.address = server.address
        if gateway.settings.web.disable:
            self._log.info("the pages are switched off", setting="web.disable")
            return
        server.mount("/", make_app(gateway, self._config))
        self._log.info("serving the pages", address=self.address, path="/loaded")

    def stop(self, grace: float) -> None:
        """Nothing runs here: the server ends the requests."""
