"""The gate of writes (operations 5.5); what is counted for every cache is counted by storegate."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from storegate.metrics import GATE_WAITS, once_per_registry


class Families:
    """The metric families, each with the label `name`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        gate = "thanos_redis_setmulti_gate_sets"
        self.most = Gauge(f"{gate}_max", "Writing calls that may run at once", ["name"], registry=registry)
        self.in_flight = Gauge(f"{gate}_in_flight", "Writing calls that run", ["name"], registry=registry)
        self.total = Counter(f"{gate}_total", "Writing calls that came in", ["name"], registry=registry)
        self.seconds = Histogram(
            f"{gate}_duration_seconds",
            "Time that writing calls waited for their turn",
            ["name"],
            buckets=GATE_WAITS,
            registry=registry,
        )


@once_per_registry
def families(registry: CollectorRegistry) -> Families:
    """The families of a registry."""
    return Families(registry)


class WriteGate:
    """Lets at most `limit` writing calls run at once; 0 is no limit. Thread-safe."""

    def __init__(self, limit: int, of: Families, name: str) -> None:
        self._turns = threading.Semaphore(limit) if limit else None
        of.most.labels(name).set(limit or math.inf)
        self._in_flight = of.in_flight.labels(name)
        self._total = of.total.labels(name)
        self._seconds = of.seconds.labels(name)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and have it."""
        self._total.inc()
        started = time.perf_counter()
        if self._turns is not None:
            self._turns.acquire()
        self._seconds.observe(time.perf_counter() - started)
        self._in_flight.inc()
        try:
            yield
        finally:
            self._in_flight.dec()
            if self._turns is not None:
                self._turns.release()
