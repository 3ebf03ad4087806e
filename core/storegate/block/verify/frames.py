"""The frames of chunks: length, encoding, checksum, and the slots of aggregate chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storegate.block.verify.columns import LONGEST, Int64, varints
from storegate.block.verify.report import Report, SeriesName
from storegate.block.verify.segments import Segment
from storegate.block.verify.source import Source
from storegate.kernels import SHORT, explain
from storegate.kernels.chunks import parse_chunks

MOST_BYTES = 16 << 20
"""A chunk that says it is longer is damaged."""
AGGREGATES = 0b111110  # all five
UNTRUSTED = (21, 23, SHORT)
"""Statuses after which the length of a chunk means nothing."""

NameOf = Callable[[int], SeriesName | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Chunks of one segment, by offset. `rows` tell their series; `times` are (mint, maxt), None when not known."""

    offsets: Int64
    rows: Int64
    times: Int64 | None

    def part(self, first: int, behind: int) -> Wanted:
        """A run of them."""
        times = None if self.times is None else self.times[first:behind]
        return Wanted(self.offsets[first:behind], self.rows[first:behind], times)


@dataclass(frozen=True, slots=True)
class Frames:
    """Chunks whose bytes are at hand; the columns `starts` and `subs` are those of `parse_chunks`."""

    arena: NDArray[np.uint8]
    starts: Int64
    subs: Int64
    bad: int


def read_frames(
    source: Source, segment: Segment, wanted: Wanted, at: int, data: bytes, name_of: NameOf, report: Report
) -> Frames:
    """Check the frames of chunks in `data`, which begins at offset `at`; reads on where the last ones go further."""
    arena = np.frombuffer(data, np.uint8)
    length, size = varints(arena, wanted.offsets - at)
    ends = wanted.offsets + size + 1 + length + 4
    plausible = (size <= LONGEST) & (length <= MOST_BYTES) & (ends <= (segment.size or 0))
    reach = int(ends[plausible].max(initial=at))
    if reach > at + len(arena):
        arena = np.append(arena, np.frombuffer(source.read(segment.path, at + len(arena), reach), np.uint8))
    n = len(wanted.offsets)
    places = np.column_stack((wanted.offsets - at, np.full(n, len(arena))))
    state, starts = np.zeros(3, np.int64), np.zeros(n + 1, np.int64)
    subs, hashes = np.empty((5 * n, 4), np.int64), np.empty(5 * n, np.uint64)
    bad = 0
    while status := parse_chunks(arena, places, AGGREGATES, state, starts, subs, hashes):
        i = int(state[0])
        bad += 1
        told = int(length[i]) if size[i] <= LONGEST else -1
        message = _message(status, int(state[1]), told)
        report.error("chunk", segment.path, message, offset=int(wanted.offsets[i]), series=name_of(int(wanted.rows[i])))
        if status in UNTRUSTED:  # it reaches to the next one
            last = int(ends[i]) if plausible[i] else segment.size or 0
            ends[i] = wanted.offsets[i + 1] if i + 1 < n else last
        starts[i + 1] = starts[i]
        state[0] = i + 1
    segment.covered.add(wanted.offsets, ends)
    return Frames(arena, starts, subs[: int(starts[n])], bad)


def _message(status: int, detail: int, length: int) -> str:
    if status == SHORT:
        beyond = length > MOST_BYTES
        return f"a chunk says that it has {length} bytes" if beyond else explain(22)
    return f"{explain(status)} {detail}" if status == 24 else explain(status)
