"""What a read costs: a latency, and a time for each byte, from the reads of late."""

from __future__ import annotations

import numpy as np

KEPT = 512
"""Reads that are remembered."""
SPREAD = 16 * 1024
"""Reads that differ by less tell no throughput."""
FASTEST = 1e-10  # s per byte; more than memory gives


class ReadCost:
    """Fits a line through (size, seconds) of the last reads. Thread-safe: a lost report changes nothing.

    Its slope is the median of those of pairs, one of the smaller and one of the larger half of the reads (after Theil
    and Sen), so that a few stalls do not move it.
    """

    def __init__(self) -> None:
        self._samples = np.zeros((KEPT, 2))
        self._next = 0

    def add(self, size: int, seconds: float) -> None:
        """Remember a read."""
        at = self._next
        self._samples[at % KEPT] = (size, seconds)
        self._next = at + 1

    def estimate(self) -> tuple[float, float] | None:
        """(latency in s, s per byte); None where the reads do not tell."""
        known = self._samples[: min(self._next, KEPT)]
        sizes, seconds = known[np.argsort(known[:, 0], kind="stable")].T
        half = len(sizes) // 2
        apart = sizes[-half:] - sizes[:half]
        telling = apart >= SPREAD
        if half == 0 or 2 * np.count_nonzero(telling) < half:
            return None
        slopes = (seconds[-half:] - seconds[:half])[telling] / apart[telling]
        slope = max(float(np.median(slopes)), FASTEST)
        return max(float(np.median(seconds - slope * sizes)), 0.0), slope
