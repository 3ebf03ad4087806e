"""How long the recent reads of a store took."""

from __future__ import annotations

import threading
from collections import deque

WINDOW = 512
FEWEST = 32
"""Reads before a quantile means anything."""
REFRESH = 16
"""Reads after which the quantile is taken again."""
SIZE_STEP = 4
"""Reads whose lengths differ by more than a factor of 2**4 are not compared."""


class Latencies:
    """One quantile of the last reads of each magnitude. Thread-safe.

    A window of exact values, not a digest of all of them: it forgets a bad hour, and needs no library. Large reads take
    longer than small ones, so each magnitude has a window of its own.
    """

    def __init__(self, quantile: float) -> None:
        self._quantile = quantile
        self._lock = threading.Lock()
        self._windows: dict[int, _Window] = {}

    def observe(self, length: int, seconds: float) -> None:
        """A read of `length` bytes took so long."""
        with self._lock:
            self._windows.setdefault(_magnitude(length), _Window()).observe(seconds, self._quantile)

    def slow(self, length: int) -> float | None:
        """Seconds after which a read of `length` bytes is slow; None while too few were seen."""
        window = self._windows.get(_magnitude(length))
        return None if window is None else window.slow


class _Window:
    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=WINDOW)
        self._count = 0
        self.slow: float | None = None

    def observe(self, seconds: float, quantile: float) -> None:
        self._values.append(seconds)
        self._count += 1
        if self._count % REFRESH == 0 and self._count >= FEWEST:
            ordered = sorted(self._values)
            self.slow = ordered[min(len(ordered) - 1, int(len(ordered) * quantile))]


def _magnitude(length: int) -> int:
    return length.bit_length() // SIZE_STEP
