"""Random ranges of one object, and the reads that a partition of them makes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from storegate.types import Partitioner

Ranges = list[tuple[int, int]]
FAR = 2**62
"""Bytes; no object is larger, and sums of two such numbers still are in int64."""


@st.composite
def range_lists(draw: st.DrawFn, *, least: int = 0) -> Ranges:
    """Ranges by start: apart and touching, nested and equal, empty and large, near the beginning and far away."""
    starts = st.one_of(st.integers(0, 300), st.integers(0, 1 << 24), st.integers(FAR - (1 << 24), FAR))
    lengths = st.one_of(st.integers(0, 30), st.integers(0, 1 << 20))
    pairs = draw(st.lists(st.tuples(starts, lengths), min_size=least, max_size=25))
    return sorted((start, start + length) for start, length in pairs)


def arrays(ranges: Ranges) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends, which nobody can write to."""
    table = np.array(ranges, dtype=np.int64).reshape(-1, 2)
    starts, ends = np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])
    for column in (starts, ends):
        column.flags.writeable = False
    return starts, ends


def parts_of(partitioner: Partitioner, ranges: Ranges) -> list[int]:
    """The answer, which must be an array of int64 with one dimension."""
    answer = partitioner.partition(*arrays(ranges))
    assert isinstance(answer, np.ndarray), "the answer is a numpy array"
    assert answer.dtype == np.int64
    assert answer.ndim == 1
    return [int(index) for index in answer]


def reads_of(parts: Sequence[int], ranges: Ranges) -> list[tuple[int, int]]:
    """What is read: from the first start of each part to its largest end."""
    bounds = zip(parts, [*parts[1:], len(ranges)], strict=True)
    return [(ranges[low][0], max(end for _, end in ranges[low:high])) for low, high in bounds]
