"""What one request may cost (StoreAPI 6.1). The totals count before blocks are merged, so replicas add up."""

from __future__ import annotations

import threading
from collections.abc import Callable

from storegate.errors import LimitError

SAMPLES_PER_CHUNK = 120


class Limiter:
    """A running total that may not pass `limit` (0: no limit). Thread-safe."""

    def __init__(self, name: str, limit: int, on_exceeded: Callable[[str], None]) -> None:
        self._name = name
        self._limit = limit
        self._total = 0
        self._lock = threading.Lock()
        self._on_exceeded = on_exceeded

    def reserve(self, amount: int, doing: str = "") -> None:
        """Add to the total. Raises LimitError once it is over the limit; the first time counts as a dropped query."""
        if self._limit <= 0:
            return
        with self._lock:
            before, self._total = self._total, self._total + amount
            total = self._total
        if total <= self._limit:
            return
        if before <= self._limit:
            self._on_exceeded(self._name)
        while_doing = f" while {doing}" if doing else ""
        raise LimitError(
            f"exceeded {self._name} limit{while_doing}: limit {self._limit} violated (got {total})",
            limit=self._name,
            allowed=self._limit,
            reached=total,
        )


class Limits:
    """The three limiters of one request; bytes are reserved as they are planned, with gaps and over-reads."""

    def __init__(self, series: int, samples: int, size: int, on_exceeded: Callable[[str], None]) -> None:
        self.series = Limiter("series", series, on_exceeded)
        self.chunks = Limiter("chunks", samples // SAMPLES_PER_CHUNK, on_exceeded)
        self._bytes = Limiter("bytes", size, on_exceeded)

    def charge(self, size: int, doing: str) -> None:
        """Reserve bytes."""
        self._bytes.reserve(size, doing)
