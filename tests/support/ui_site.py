"""A gateway that says what a test tells it to, and its pages without a server."""

from __future__ import annotations

import asyncio
from typing import Any

from prometheus_client import CollectorRegistry

from storegate.block.status import BlockStatus, ChosenBlocks
from storegate.config.settings import Settings
from storegate.manager import PluginManager
from storegate.plugin_report import plugin_report
from storegate.query.request import StoreInfo
from storegate.query.running import RunningQuery
from storegate_ui.app import make_app
from storegate_ui.config import UiConfig


class FakeGateway:
    """Answers are attributes; cancelled queries are kept."""

    def __init__(self, **settings: Any) -> None:
        store = {"type": "FILESYSTEM", "config": {"directory": "/blocks"}}
        self.settings = Settings.model_validate({"object_store": store, **settings})
        self.registry = CollectorRegistry()
        self.plugins = PluginManager.load(allow=["storegate"])
        self.flags = {"data-dir": "./data"}
        self.addresses = {"http": "127.0.0.1:10902"}
        self.ready = self.healthy = True
        self.statuses: list[BlockStatus] = []
        self.queries: list[RunningQuery] = []
        self.cancelled: list[int] = []

    def plugin_report(self) -> dict[str, Any]:
        return plugin_report(self.settings, self.plugins)

    def blocks(self) -> list[BlockStatus]:
        return self.statuses

    def chosen_blocks(self) -> ChosenBlocks:
        return ChosenBlocks(metas=(), quarantined={}, refreshed=5, error="")

    def info(self) -> StoreInfo:
        return StoreInfo(label_sets=((("a", "<b>"),),), min_time=0, max_time=2**62, tsdb_infos=())

    def running(self) -> list[RunningQuery]:
        return self.queries

    def cancel(self, query: int) -> bool:
        self.cancelled.append(query)
        return query == 7


class Site:
    """The application over a gateway; `prefix` is what the HTTP front end would have found."""

    def __init__(self, gateway: Any, prefix: str = "") -> None:
        self.gateway = gateway
        self._app = make_app(gateway, UiConfig())
        self._prefix = prefix

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        """Status, headers and text of an answer."""
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()],
            "storegate.prefix": self._prefix,
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self._app(scope, receive, send))
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], found, b"".join(part.get("body", b"") for part in sent[1:]).decode()
