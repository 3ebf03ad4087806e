"""The samples of chunks: whether their bits make sense, and whether their times are those of the index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storegate.block.verify.columns import Int64, pieces
from storegate.block.verify.frames import Frames, NameOf, Wanted
from storegate.block.verify.report import Code, Report, Severity
from storegate.block.verify.segments import Segment
from storegate.kernels import explain
from storegate.kernels.decode import decode_chunks, measure_chunks

RAW, COUNT, COUNTER = 3, 4, 8  # fields of AggrChunk, as `parse_chunks` gives them
SLOTS = {COUNT: "count", 5: "sum", 6: "min", 7: "max", COUNTER: "counter"}
AT_ONCE = 1 << 18
"""Numbers that are decoded at once: times and values, and those of histograms."""
NOTHING = np.empty(0, np.int64)

Finding = tuple[Severity, Code, int, str]
"""Severity, code, number of the sub-chunk, message."""


@dataclass(frozen=True, slots=True)
class Samples:
    """For each sub-chunk: its status, how many samples it has, the first and last time, and how many go back."""

    status: Int64
    count: Int64
    first: Int64
    last: Int64
    backward: Int64


def check_samples(segment: Segment, frames: Frames, wanted: Wanted, name_of: NameOf, report: Report) -> tuple[int, int]:
    """Decode all chunks; (samples, errors), counting the samples of aggregate chunks by their counts."""
    field = frames.subs[:, 0]
    samples = _decode(frames.arena, frames.subs)
    chunk = np.repeat(np.arange(len(frames.starts) - 1), np.diff(frames.starts))
    times = None if wanted.times is None else wanted.times[chunk]
    errors = 0
    for severity, code, sub, message in _findings(field, samples, times):
        tell = report.error if severity == "error" else report.warning
        slot = SLOTS.get(int(field[sub]))
        i = int(chunk[sub])
        tell(
            code,
            segment.path,
            f"{slot}: {message}" if slot else message,
            offset=int(wanted.offsets[i]),
            series=name_of(int(wanted.rows[i])),
        )
        errors += severity == "error"
    counted = (samples.status == 0) & ((field == RAW) | (field == COUNT))
    return int(samples.count[counted].sum()), errors


def _decode(arena: NDArray[np.uint8], subs: Int64) -> Samples:
    n = len(subs)
    chunks = np.zeros((n, 7), np.int64)
    chunks[:, 3] = subs[:, 1] + 1  # encodings on the wire count from 0
    chunks[:, 4:6] = subs[:, 2:]
    sizes, status = np.zeros((n, 4), np.int64), np.zeros(n, np.int64)
    row = 0
    while row < n:
        wrong, at = measure_chunks(arena, chunks[row:], sizes[row:], NOTHING)
        row += at
        if wrong:
            status[row], sizes[row] = wrong, 0
            row += 1
    found = Samples(status, sizes[:, 0], *np.zeros((3, n), np.int64))
    reach = np.cumsum(3 * sizes[:, 0] + sizes[:, 1] + sizes[:, 2])
    for begin, behind in pieces(np.append(0, reach[:-1]), reach, AT_ONCE, n):
        _decode_run(arena, chunks[begin:behind], sizes[begin:behind], found, slice(begin, behind))
    return found


def _decode_run(arena: NDArray[np.uint8], chunks: Int64, sizes: Int64, found: Samples, part: slice) -> None:
    """Decode what fits into memory at once, and note what it says about times."""
    n = len(chunks)
    starts = np.zeros((n + 1, 3), np.int64)
    np.cumsum(sizes[:, :3], axis=0, out=starts[1:])
    samples, layouts, numbers = starts[-1].tolist()
    times, values, rows = np.empty((3, samples), np.int64)
    room = np.empty(layouts, np.int64), np.empty(numbers, np.int64), np.empty(int(sizes[:, 3].max(initial=0)), np.int64)
    row = 0
    while row < n:
        wrong, at = decode_chunks(arena, chunks[row:], starts[row:], times, values, rows, *room)
        row += at
        if wrong:
            found.status[part.start + row] = wrong
            row += 1
    some = np.flatnonzero(sizes[:, 0] > 0)
    begin, end = starts[some, 0], starts[some + 1, 0] - 1
    back = np.append(0, np.cumsum(times[1:] <= times[:-1]))
    found.first[part][some] = times[begin]
    found.last[part][some] = times[end]
    found.backward[part][some] = back[end] - back[begin]


def _findings(field: Int64, samples: Samples, times: Int64 | None) -> Iterator[Finding]:
    for i in np.flatnonzero(samples.status).tolist():
        yield "error", "chunk-samples", i, explain(int(samples.status[i]))
    whole = (samples.status == 0) & (samples.count > 0)
    # The counter's last sample repeats the time of the one before, to tell the last raw value.
    for i in np.flatnonzero(whole & (samples.backward > (field == COUNTER))).tolist():
        yield "error", "chunk-order", i, f"{samples.backward[i]} samples are not later than the one before"
    if times is not None:
        yield from _time_findings(field, whole, samples.first, samples.last, times)


def _time_findings(
    field: Int64, whole: NDArray[np.bool_], first: Int64, last: Int64, times: Int64
) -> Iterator[Finding]:
    """Samples outside the times of the index are lost to queries; a range that is too wide costs a read."""
    mint, maxt = times.T
    begin = np.where(field == COUNTER, mint, first)  # a counter begins with a raw sample, before the first window
    outside = whole & ((begin < mint) | (last > maxt))
    inside = whole & ~outside & ((begin > mint) | (last < maxt))
    for i in np.flatnonzero(outside | inside).tolist():
        severity: Severity = "error" if outside[i] else "warning"
        message = f"samples from {first[i]} to {last[i]}, but the index says {mint[i]} to {maxt[i]}"
        yield severity, "chunk-times", i, message
