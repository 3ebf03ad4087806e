"""Which bytes of a file have been accounted for."""

from __future__ import annotations

import numpy as np

from storegate.block.verify.columns import Int64


class Coverage:
    """Stretches of one file, joined where they touch: one stretch when everything comes in the order of the file."""

    def __init__(self) -> None:
        self._stretches: list[list[int]] = []

    def add(self, starts: Int64, ends: Int64) -> None:
        """Account for items; `starts` ascend."""
        if not len(starts):
            return
        breaks = np.flatnonzero(starts[1:] != ends[:-1])
        first = starts[np.append(0, breaks + 1)].tolist()
        last = ends[np.append(breaks, len(ends) - 1)].tolist()
        for start, end in zip(first, last, strict=True):
            if self._stretches and self._stretches[-1][1] == start:
                self._stretches[-1][1] = end
            else:
                self._stretches.append([start, end])

    def gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        """What nothing accounts for between `start` and `end`."""
        found, at = [], start
        for begin, stop in sorted(self._stretches):
            if begin > at:
                found.append((at, min(begin, end)))
            at = max(at, stop)
        if at < end:
            found.append((at, end))
        return [(begin, stop) for begin, stop in found if begin < stop]

    def overlap(self) -> tuple[int, int] | None:
        """The first stretch that is accounted for more than once."""
        reached = 0
        for begin, stop in sorted(self._stretches):
            if begin < reached:
                return begin, min(stop, reached)
            reached = max(reached, stop)
        return None
