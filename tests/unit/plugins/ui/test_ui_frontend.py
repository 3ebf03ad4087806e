"""How the pages come onto the HTTP server, and when they do not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from ui_site import FakeGateway

from storegate.errors import ConfigurationError
from storegate.types import PluginContext
from storegate_ui.config import UiConfig
from storegate_ui.frontend import open_frontend


def start(server: Any, **settings: Any) -> Any:
    gateway: Any = FakeGateway(**settings)
    gateway.frontend = lambda name: server if name == "http" else None
    front = open_frontend(
        UiConfig(), PluginContext(name="ui", log=structlog.get_logger(), registry=CollectorRegistry())
    )
    front.start(gateway)
    return front


class Server(SimpleNamespace):
    address = "127.0.0.1:1"

    def mount(self, path: str, app: Any) -> None:
        self.path = path


def test_the_pages_are_at_the_root_of_the_http_server() -> None:
    server = Server()
    assert (start(server).address, server.path) == ("127.0.0.1:1", "/")


def test_no_pages_when_the_web_is_switched_off() -> None:
    server = Server()
    start(server, web={"disable": True})
    assert not hasattr(server, "path")


@pytest.mark.parametrize(("server", "why"), [(None, "none is running"), (object(), "takes no applications")])
def test_without_an_http_server_the_configuration_is_wrong(server: Any, why: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{why}: list http in frontends before ui"):
        start(server)
