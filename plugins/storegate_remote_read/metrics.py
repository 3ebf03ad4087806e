"""What remote read counts of its own; the engine counts its queries beside those of the StoreAPI."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

DURATIONS = (0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120)  # s


class RemoteReadMetrics:
    """`type` is that of the answer: `samples`, `chunks`, or `none` when the request was refused before it was known."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "storegate_remote_read_requests_total", "Requests that ended, by status", ("type", "code"),
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "storegate_remote_read_duration_seconds", "Time until a request ended", ("type",), buckets=DURATIONS,
            registry=registry,
        )  # fmt: skip
        self.sent_bytes = Counter(
            "storegate_remote_read_sent_bytes_total", "Bytes of answers", ("type",), registry=registry
        )
        self.running = Gauge("storegate_remote_read_requests_in_flight", "Requests under way", registry=registry)


_BY_REGISTRY: WeakKeyDictionary[CollectorRegistry, RemoteReadMetrics] = WeakKeyDictionary()


def remote_read_metrics(registry: CollectorRegistry) -> RemoteReadMetrics:
    """The metrics of a registry: two remote-read front ends of one gateway share them."""
    if registry not in _BY_REGISTRY:
        _BY_REGISTRY[registry] = RemoteReadMetrics(registry)
    return _BY_REGISTRY[registry]
