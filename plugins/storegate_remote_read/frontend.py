"""The front end: an application on the HTTP server of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storegate.errors import ConfigurationError
from storegate.types import PluginContext, SupportsMount
from storegate_remote_read.config import RemoteReadConfig
from storegate_remote_read.endpoint import Endpoint
from storegate_remote_read.metrics import remote_read_metrics

if TYPE_CHECKING:
    from storegate.gateway import Gateway

SERVER = "http"
"""The front end whose server is used."""


def open_frontend(config: RemoteReadConfig, context: PluginContext) -> RemoteReadFrontEnd:
    return RemoteReadFrontEnd(config, context)


class RemoteReadFrontEnd:
    """Serves remote read. `start` and `stop` may be called from any thread, each once."""

    def __init__(self, config: RemoteReadConfig, context: PluginContext) -> None:
        self.address = ""
        self._config = config
        self._log: Any = context.log
        self._metrics = remote_read_metrics(context.registry)
        self._endpoint: Endpoint | None = None

    def start(self, gateway: Gateway) -> None:
        """Mount the application. Raises ConfigurationError when there is no HTTP server."""
        server = gateway.frontend(SERVER)
        if not isinstance(server, SupportsMount):
            raise ConfigurationError(
                f"front end remote-read: it answers on the server of the front end {SERVER}, and"
                f" {'none is running' if server is None else 'that takes no applications'}: list {SERVER} in frontends"
            )
        self._endpoint = Endpoint(gateway, self._config, self._metrics, self._log)
        server.mount(self._config.path, self._endpoint)
        self.address = server.address
        self._log.info("taking remote read requests", address=self.address, path=self._config.path)

    def stop(self, grace: float) -> None:
        """Refuse new requests; running ones end within `grace` or the configured grace period."""
        if self._endpoint is not None:
            self._endpoint.running.stop(min(grace, self._config.grace_period))
