"""Ranged reads as numbers of subranges: pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from storegate.reads import Read


@dataclass(slots=True)
class Plan:
    """A read as subranges of `step` bytes, `first` to `last`, the latter not included; `missing` are not cached."""

    read: Read
    prefix: str  # of their keys
    size: int  # of the object
    step: int
    first: int
    last: int
    missing: list[int] = field(default_factory=list)

    def key(self, index: int) -> str:
        return f"{self.prefix}{index}"

    def length(self, index: int) -> int:
        """Bytes of a subrange; that at the end of the object is shorter."""
        return min(self.step, self.size - index * self.step)


def copy_into(read: Read, offset: int, data: bytes | memoryview) -> None:
    """Copy the part of `data`, which lies at `offset` of the object, that the read is about."""
    low, high = max(offset, read.offset), min(offset + len(data), read.offset + read.got)
    if low < high:
        whole = high - low == len(data)
        read.buffer[low - read.offset : high - read.offset] = (
            data if whole else memoryview(data)[low - offset : high - offset]
        )


def merged(indexes: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Ascending numbers as at most `most` runs (first, end), over as small gaps as that takes; 0 or less: no limit."""
    gap = 0
    while True:
        runs: list[tuple[int, int]] = []
        for i in indexes:
            if runs and i - runs[-1][1] <= gap:
                runs[-1] = runs[-1][0], i + 1
            else:
                runs.append((i, i + 1))
        if most <= 0 or len(runs) <= most:
            return runs
        gap = gap * 2 or 1
