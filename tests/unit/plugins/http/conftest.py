"""A gateway that says what a test tells it to, behind a real HTTP front end on a loopback port."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from storegate.block.status import ChosenBlocks
from storegate.config.settings import Settings
from storegate.manager import PluginManager
from storegate.types import PluginContext
from storegate_http.config import HttpConfig
from storegate_http.frontend import HttpFrontEnd

WAIT = 10.0  # s; no test waits this long unless it fails


class FakeGateway:
    """Answers are attributes; marks that were asked for are kept."""

    def __init__(self, **web: Any) -> None:
        store = {"type": "FILESYSTEM", "config": {"directory": "/blocks"}}
        self.settings = Settings.model_validate({"object_store": store, "web": web})
        self.ready = False
        self.healthy = True
        self.flags = {"data-dir": "./data"}
        self.plugins = PluginManager.load(allow=["storegate"])
        self.blocks = ChosenBlocks(metas=(), quarantined={}, refreshed=None, error="")
        self.marks: list[tuple[str, str, str]] = []
        self.mark_error: Exception | None = None

    def chosen_blocks(self) -> ChosenBlocks:
        return self.blocks

    def mark_block(self, ulid: str, action: str, details: str = "") -> bool:
        if self.mark_error is not None:
            raise self.mark_error
        self.marks.append((ulid, action, details))
        return True


class LogLines(list[dict[str, Any]]):
    """What was logged, as events."""

    def __call__(self, logger: object, method: str, event: dict[str, Any]) -> Any:
        self.append({**event, "level": method})
        raise structlog.DropEvent

    def text(self) -> str:
        return str([{key: str(value) for key, value in line.items()} for line in self])


class Served:
    """A started front end. `tls` is the context of a client, if it speaks TLS."""

    def __init__(self, gateway: FakeGateway, log: LogLines, **config: Any) -> None:
        self.gateway = gateway
        self.registry = CollectorRegistry()
        self.log = log
        logger = structlog.wrap_logger(None, processors=[log])
        context = PluginContext(name="http", log=logger, registry=self.registry)
        self.front_end = HttpFrontEnd(HttpConfig(**{"address": "127.0.0.1:0", **config}), context)
        self.front_end.start(gateway)  # type: ignore[arg-type]
        host, _, port = self.front_end.address.rpartition(":")
        self.where = (host, int(port))
        self.tls: ssl.SSLContext | None = None

    def ask(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, bytes, Any]:
        """Status, body and headers of one request on a connection of its own."""
        with self.connection() as connection:
            connection.request(method, path, headers=headers or {}, body=body)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers

    def ask_json(self, path: str, method: str = "GET", **more: Any) -> tuple[int, Any]:
        status, body, _ = self.ask(path, method, **more)
        return status, json.loads(body) if body else None

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        """One that can be used for several requests."""
        if self.tls is not None:
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                "localhost", self.where[1], timeout=WAIT, context=self.tls
            )
        else:
            made = http.client.HTTPConnection(*self.where, timeout=WAIT)
        try:
            yield made
        finally:
            made.close()

    @contextmanager
    def raw(self) -> Iterator[socket.socket]:
        """A plain connection, for what no HTTP library would send."""
        with socket.create_connection(self.where, timeout=WAIT) as opened:
            yield opened

    def send(self, data: bytes) -> bytes:
        """Everything that the server answers to some bytes, until it closes the connection."""
        with self.raw() as connection:
            connection.sendall(data)
            return read_all(connection)

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def read_all(connection: socket.socket) -> bytes:
    """Until the other side closes or cuts the connection."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionError:
        pass
    return received


def wait_until(condition: Callable[[], object]) -> None:
    """For what tells nobody that it has happened."""
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., Served]]:
    """Start a front end: `web` are settings of that section, the rest configures the front end."""
    started: list[Served] = []

    def start(web: dict[str, Any] | None = None, **config: Any) -> Served:
        started.append(Served(FakeGateway(**(web or {})), LogLines(), **config))
        return started[-1]

    yield start
    with ThreadPoolExecutor(32) as pool:  # each takes a moment
        list(pool.map(lambda served: served.front_end.stop(0.0), started))


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """A front end with the default configuration, for one test."""
    return serve()
