"""What each provider costs the engine: calls, seconds and errors, counted where the engine calls it.

Object stores and remote caches are counted anyway; their figures are read from there when metrics are asked for, so
that a read of 8 us does not become one of 9 us. All others have a meter, which is a lock and three numbers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from storegate.metrics import once_per_registry

LABELS = ("kind", "provider")


class Totals(NamedTuple):
    """What was counted so far; `seconds` is the time inside of the calls."""

    calls: float
    seconds: float
    errors: float


class CallMeter:
    """Counts the calls of one provider. Thread-safe; as a context manager around a call it counts one."""

    __slots__ = ("_calls", "_errors", "_lock", "_seconds")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._seconds = 0.0
        self._errors = 0

    def measured(self) -> Measurement:
        """Around one call; an exception that leaves it counts as an error."""
        return Measurement(self)

    def add(self, seconds: float, *, failed: bool) -> None:
        """Count one call."""
        with self._lock:
            self._calls += 1
            self._seconds += seconds
            self._errors += failed

    def totals(self) -> Totals:
        """What was counted so far."""
        with self._lock:
            return Totals(self._calls, self._seconds, self._errors)


class Measurement:
    """A context manager, written out: one made of a generator costs more than what is counted."""

    __slots__ = ("_meter", "_started")

    def __init__(self, meter: CallMeter) -> None:
        self._meter = meter

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._meter.add(time.perf_counter() - self._started, failed=error is not None)


class PluginCalls(Collector):
    """`storegate_plugin_calls_total`, `..._seconds_total`, `..._errors_total` by kind and provider. Thread-safe."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lock = threading.Lock()
        self._sources: dict[tuple[str, str], list[Callable[[], Totals]]] = {}
        registry.register(self)

    def meter(self, kind: str, provider: str) -> CallMeter:
        """A meter for one instance of a provider; several instances are added up."""
        made = CallMeter()
        self.derive(kind, provider, made.totals)
        return made

    def derive(self, kind: str, provider: str, totals: Callable[[], Totals]) -> None:
        """Take the figures of an instance from `totals` at each scrape."""
        with self._lock:
            self._sources.setdefault((kind, provider), []).append(totals)

    def describe(self) -> Iterable[Metric]:
        """The families, empty."""
        return self._families()

    def collect(self) -> Iterator[Metric]:
        """The families with a sample for each provider."""
        families = self._families()
        with self._lock:
            sources = {labels: list(found) for labels, found in self._sources.items()}
        for labels, found in sources.items():
            for family, numbers in zip(families, zip(*(totals() for totals in found), strict=True), strict=True):
                family.add_metric(labels, sum(numbers))
        yield from families

    @staticmethod
    def _families() -> tuple[CounterMetricFamily, ...]:
        texts = {
            "calls": "Calls of what a plugin provides; an operation of an object store is one, with its retries",
            "seconds": "Time inside of these calls",
            "errors": "Calls that raised",
        }
        return tuple(
            CounterMetricFamily(f"storegate_plugin_{name}_total", text, labels=LABELS) for name, text in texts.items()
        )


@once_per_registry
def plugin_calls(registry: CollectorRegistry) -> PluginCalls:
    """The one of this registry."""
    return PluginCalls(registry)


def sum_of(family: MetricWrapperBase, suffix: str, **labels: str) -> float:
    """The sum of the samples of a family whose names end with `suffix`, and that have these labels."""
    return sum(
        sample.value
        for metric in family.collect()
        for sample in metric.samples
        if sample.name.endswith(suffix) and labels.items() <= sample.labels.items()
    )
