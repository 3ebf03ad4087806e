"""`grpc_server_*` metrics, with the names and labels of go-grpc-middleware that Thanos dashboards use."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

import grpc
from prometheus_client import CollectorRegistry, Counter, Histogram

DURATIONS = (0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120)  # s
CODE_NAMES: Mapping[grpc.StatusCode, str] = {
    code: {"OK": "OK", "CANCELLED": "Canceled"}.get(code.name, code.name.title().replace("_", ""))
    for code in grpc.StatusCode
}
_LABELS = ("grpc_type", "grpc_service", "grpc_method")


class RpcMetrics:
    """Counters of all gRPC methods of one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.started = Counter("grpc_server_started_total", "RPCs that were started", _LABELS, registry=registry)
        self.received = Counter("grpc_server_msg_received_total", "Messages received", _LABELS, registry=registry)
        self.sent = Counter("grpc_server_msg_sent_total", "Messages sent", _LABELS, registry=registry)
        self.handled = Counter(
            "grpc_server_handled_total", "RPCs that ended, by status", (*_LABELS, "grpc_code"), registry=registry
        )
        self.seconds = Histogram(
            "grpc_server_handling_seconds", "Time until an RPC ended", _LABELS, buckets=DURATIONS, registry=registry
        )
        self.panics = Counter(
            "grpc_req_panics_recovered_total", "RPCs that ended with an unexpected error", registry=registry
        )

    def method(self, kind: str, service: str, method: str) -> MethodMetrics:
        return MethodMetrics(self, kind, service, method)


class MethodMetrics:
    """The children of one method, looked up once: every code is there from the start, at 0."""

    def __init__(self, metrics: RpcMetrics, kind: str, service: str, method: str) -> None:
        labels = (kind, service, method)
        self.name = f"/{service}/{method}"
        self.started = metrics.started.labels(*labels)
        self.received = metrics.received.labels(*labels)
        self.sent = metrics.sent.labels(*labels)
        self.handled = {code: metrics.handled.labels(*labels, name) for code, name in CODE_NAMES.items()}
        self.seconds = metrics.seconds.labels(*labels)
        self.panics = metrics.panics


_BY_REGISTRY: WeakKeyDictionary[CollectorRegistry, RpcMetrics] = WeakKeyDictionary()


def rpc_metrics(registry: CollectorRegistry) -> RpcMetrics:
    """The metrics of a registry: two gRPC front ends of one gateway share them."""
    if registry not in _BY_REGISTRY:
        _BY_REGISTRY[registry] = RpcMetrics(registry)
    return _BY_REGISTRY[registry]
