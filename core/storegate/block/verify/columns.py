"""Small helpers over flat arrays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]

LONGEST = 5
"""Bytes of the longest length: below 2^35."""


def varints(arena: NDArray[np.uint8], at: Int64) -> tuple[Int64, Int64]:
    """(value, bytes) of the varint at each position; one that does not end within 5 bytes has 6."""
    value, size = np.zeros(len(at), np.int64), np.ones(len(at), np.int64)
    following = np.ones(len(at), np.bool_)
    for k in range(LONGEST):
        byte = arena[np.minimum(at + k, len(arena) - 1)].astype(np.int64)
        value |= np.where(following, (byte & 0x7F) << (7 * k), 0)
        following &= byte >= 0x80
        if not following.any():
            break
        size += following
    return value, size


def big_endian(arena: NDArray[np.uint8], at: Int64) -> Int64:
    """The 32-bit number at each position."""
    number = np.zeros(len(at), np.int64)
    for k in range(4):
        number = number << 8 | arena[at + k]
    return number


def nonzero_between(arena: NDArray[np.uint8], starts: Int64, ends: Int64) -> Int64:
    """Indexes of the stretches that hold a byte other than 0; they ascend and do not overlap."""
    filled = np.flatnonzero(ends > starts)
    if not len(filled):
        return filled
    marks = np.append((arena[: int(ends[filled[-1]])] != 0), False)
    edges = np.column_stack((starts[filled], ends[filled])).ravel()
    return filled[np.logical_or.reduceat(marks, edges)[::2]]


def weights(refs: NDArray[np.uint32]) -> UInt64:
    """A scrambled number for each series, so that equal sums mean equal sets (splitmix64)."""
    mixed = refs.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    return mixed


def pieces(starts: Int64, ends: Int64, most_bytes: int, most_items: int) -> Iterator[tuple[int, int]]:
    """Cuts items that ascend into runs of at most so many bytes and items each, at least one: (first, behind last)."""
    first = 0
    while first < len(starts):
        fits = int(np.searchsorted(ends, starts[first] + most_bytes, "right"))
        behind = max(first + 1, min(fits, first + most_items))
        yield first, behind
        first = behind
