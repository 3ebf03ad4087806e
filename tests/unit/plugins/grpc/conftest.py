"""A gateway that says what a test tells it to, behind a real gRPC front end on a loopback port."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import structlog
from prometheus_client import CollectorRegistry

from storegate.config.request_logging import RequestLogging
from storegate.metrics import Metrics
from storegate.query.call import Call
from storegate.query.request import LabelsAnswer, StoreInfo, TSDBInfo
from storegate.query.stats import QueryStats
from storegate.types import PluginContext
from storegate_grpc.config import GrpcConfig
from storegate_grpc.frontend import GrpcFrontEnd

WAIT = 10.0  # s; no test waits this long unless it fails


class FakeStream:
    """Lists of frames from an iterator; an exception among them is raised. Every step may block."""

    def __init__(self, lists: Iterator[Any]) -> None:
        self._lists = lists
        self.quick = False
        self.exhausted = False
        self.stats = QueryStats()
        self.blocks = ("01B1", "01B2")
        self.closed = threading.Event()

    def __iter__(self) -> FakeStream:
        return self

    def __next__(self) -> list[bytes]:
        item = next(self._lists)
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        self.closed.set()


class FakeGateway:
    """Answers are attributes; requests and calls that came in are kept."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.settings = SimpleNamespace(limits=SimpleNamespace(concurrency=2), request_logging=RequestLogging())
        self.ready = True
        self.healthy = True
        self.lists: Callable[[Any, Call], Iterator[Any]] = lambda request, call: iter([])
        self.labels: LabelsAnswer | Exception = LabelsAnswer(values=[], blocks=())
        self.store: StoreInfo | Exception = StoreInfo(
            label_sets=((("region", "eu"),),),
            min_time=1,
            max_time=9,
            tsdb_infos=(TSDBInfo(labels=(("region", "eu"),), min_time=1, max_time=9),),
        )
        self.requests: list[Any] = []
        self.calls: list[Call] = []
        self.streams: list[FakeStream] = []
        self.arrived = threading.Event()
        self._callbacks: list[Callable[[bool], None]] = []

    def on_ready_change(self, callback: Callable[[bool], None]) -> None:
        self._callbacks.append(callback)

    def set_ready(self, ready: bool) -> None:
        self.ready = ready
        for callback in self._callbacks:
            callback(ready)

    def series(self, request: Any, call: Call) -> FakeStream:
        self._keep(request, call)
        self.streams.append(FakeStream(self.lists(request, call)))
        return self.streams[-1]

    def label_names(self, request: Any, call: Call) -> LabelsAnswer:
        return self._labels(request, call)

    def label_values(self, request: Any, call: Call) -> LabelsAnswer:
        return self._labels(request, call)

    def info(self) -> StoreInfo:
        if isinstance(self.store, Exception):
            raise self.store
        return self.store

    def _labels(self, request: Any, call: Call) -> LabelsAnswer:
        self._keep(request, call)
        if isinstance(self.labels, Exception):
            raise self.labels
        return self.labels

    def _keep(self, request: Any, call: Call) -> None:
        self.requests.append(request)
        self.calls.append(call)
        self.arrived.set()


class Served:
    """A started front end, its gateway, and a channel to it."""

    def __init__(self, gateway: FakeGateway, front_end: GrpcFrontEnd) -> None:
        self.gateway = gateway
        self.front_end = front_end
        self.address = front_end.address
        self.channel = grpc.insecure_channel(self.address)

    def sample(self, name: str, **labels: str) -> float | None:
        return self.gateway.registry.get_sample_value(name, labels)

    def close(self) -> None:
        self.channel.close()
        self.front_end.stop(0.0)


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def serve(gateway: FakeGateway) -> Iterator[Callable[..., Served]]:
    """Start a front end with the given configuration; stopped after the test."""
    started: list[Served] = []

    def start(**config: Any) -> Served:
        settings = GrpcConfig(**{"address": "127.0.0.1:0", **config})
        context = PluginContext(name="grpc", log=structlog.get_logger(), registry=gateway.registry)
        front_end = GrpcFrontEnd(settings, context)
        front_end.start(gateway)  # type: ignore[arg-type]
        started.append(Served(gateway, front_end))
        return started[-1]

    yield start
    for served in started:
        served.close()


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """A front end with the default configuration."""
    return serve()
