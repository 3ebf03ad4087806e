"""Metrics of guarded caches: those of Thanos for the back ends that it has, `storegate_cache_*` for others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from storegate.cache.envelope import REASONS
from storegate.errors import DeniedError, InvalidRequestError, StoregateError
from storegate.metrics import GATE_WAITS, SIZES, once_per_registry
from storegate.plugin_calls import Totals, sum_of
from storegate.types import CacheLimits

SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 3, 6, 10)
GET, SET = "getmulti", "set"
FAILURES = ("timeout", "malformed-key", "server-error", "network-error", "other")
SKIPS: Mapping[str, tuple[str, ...]] = {
    GET: ("circuit-open", "busy"),
    SET: ("max-item-size", "async-buffer-full", "circuit-open"),
}


class GuardFamilies:
    """The families of one kind of back end (`CacheLimits.metrics`), each with the label `name`."""

    def __init__(self, registry: CollectorRegistry, kind: str) -> None:
        client = f"thanos_{kind}" if kind else "storegate_cache"
        lookups = f"thanos_cache_{kind}" if kind else "storegate_cache"

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, ["name", *labels], registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, ["name", *labels], registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(name, text, ["name", *labels], buckets=buckets, registry=registry)

        self.requests = counter(f"{lookups}_requests_total", "Keys that the cache was asked for")
        self.hits = counter(f"{lookups}_hits_total", "Keys that it had")
        self.operations = counter(f"{client}_operations_total", "Calls of the cache", "operation")
        self.failures = counter(f"{client}_operation_failures_total", "Failed calls", "operation", "reason")
        self.skipped = counter(
            f"{client}_operation_skipped_total", "Keys and items left out of calls", "operation", "reason"
        )
        self.seconds = histogram(f"{client}_operation_duration_seconds", "Time of a call", SECONDS, "operation")
        self.bytes = histogram(f"{client}_operation_data_size_bytes", "Values of a call as stored", SIZES, "operation")
        self.gate_max = gauge(f"{client}_getmulti_gate_gets_max", "Reading calls that may run at once")
        self.gate_in_flight = gauge(f"{client}_getmulti_gate_gets_in_flight", "Reading calls that run")
        self.gate_total = counter(f"{client}_getmulti_gate_gets_total", "Reading calls that came in")
        self.gate_seconds = histogram(
            f"{client}_getmulti_gate_gets_duration_seconds", "Time that reading calls waited for their turn", GATE_WAITS
        )


class CommonFamilies:
    """The families that all guarded caches share."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.wrong_values = Counter(
            "storegate_cache_wrong_values_total",
            "Values that were not what was stored, and were taken for misses",
            ["name", "reason"],
            registry=registry,
        )
        self.stepped_over = Gauge(
            "storegate_cache_servers_stepped_over",
            "Servers of a cache that failed and are left alone until a trial succeeds",
            ["name"],
            registry=registry,
        )
        self.queued = Gauge(
            "storegate_cache_queued_items", "Items that wait to be written", ["name"], registry=registry
        )


@once_per_registry
def _guard_families(registry: CollectorRegistry, kind: str) -> GuardFamilies:
    return GuardFamilies(registry, kind)


@once_per_registry
def _common_families(registry: CollectorRegistry) -> CommonFamilies:
    return CommonFamilies(registry)


class Operation:
    """The metrics of reads or of writes of one cache."""

    def __init__(self, families: GuardFamilies, name: str, operation: str) -> None:
        self._calls = families.operations.labels(name, operation)
        self._seconds = families.seconds.labels(name, operation)
        self._bytes = families.bytes.labels(name, operation)
        self._failures = {reason: families.failures.labels(name, operation, reason) for reason in FAILURES}
        self._skipped = {reason: families.skipped.labels(name, operation, reason) for reason in SKIPS[operation]}

    def called(self, seconds: float, size: int) -> None:
        """A call ended well and moved so many bytes of values."""
        self._calls.inc()
        self._seconds.observe(seconds)
        self._bytes.observe(size)

    def failed(self, error: BaseException) -> None:
        """A call ended with this."""
        self._calls.inc()
        self._failures[failure_reason(error)].inc()

    def skipped(self, reason: str, count: int) -> None:
        """So many keys or items were not sent."""
        self._skipped[reason].inc(count)


class GuardMetrics:
    """The metrics of one guarded cache. Thread-safe."""

    def __init__(self, registry: CollectorRegistry, limits: CacheLimits, name: str) -> None:
        families, common = _guard_families(registry, limits.metrics), _common_families(registry)
        self._families = families
        self._name = name
        self.requests = families.requests.labels(name)
        self.hits = families.hits.labels(name)
        self.gets = Operation(families, name, GET)
        self.sets = Operation(families, name, SET)
        families.gate_max.labels(name).set(limits.get_concurrency or math.inf)
        self.in_flight = families.gate_in_flight.labels(name)
        self.gate_total = families.gate_total.labels(name)
        self.gate_seconds = families.gate_seconds.labels(name)
        self.wrong_values = {reason: common.wrong_values.labels(name, reason) for reason in REASONS}
        self._stepped_over = common.stepped_over.labels(name)
        self._queued = common.queued.labels(name)

    def totals(self) -> Totals:
        """Calls of the cache so far; the time of failed ones is not known."""
        return Totals(
            calls=sum_of(self._families.operations, "_total", name=self._name),
            seconds=sum_of(self._families.seconds, "_sum", name=self._name),
            errors=sum_of(self._families.failures, "_total", name=self._name),
        )

    def watch(self, stepped_over: Callable[[], float], queued: Callable[[], float]) -> None:
        """Ask these at each scrape."""
        self._stepped_over.set_function(stepped_over)
        self._queued.set_function(queued)


def failure_reason(error: BaseException) -> str:
    """One of `FAILURES`."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, InvalidRequestError | UnicodeError):
        return "malformed-key"
    if isinstance(error, DeniedError):  # an OSError, but the network did its part
        return "server-error"
    if isinstance(error, OSError):
        return "network-error"
    return "server-error" if isinstance(error, StoregateError) else "other"
