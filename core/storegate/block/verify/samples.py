"""The samples of chunks: whether their bits make sense, and whether their times are those of the index."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from storegate.block.verify.columns import Int64
from storegate.block.verify.frames import Frames, NameOf, Wanted
from storegate.block.verify.report import Report, Severity
from storegate.block.verify.segments import Segment
from storegate.kernels import explain
from storegate.kernels.samples import scan_samples

RAW, COUNT, COUNTER = 3, 4, 8  # fields of AggrChunk, as `parse_chunks` gives them
SLOTS = {COUNT: "count", 5: "sum", 6: "min", 7: "max", COUNTER: "counter"}
FLOAT_HISTOGRAM = 2
SPARE = 16
"""Bits behind the last sample that are too many: writers leave less than two bytes."""

Finding = tuple[Severity, str, int, str]
"""Severity, code, number of the sub-chunk, message."""


def check_samples(segment: Segment, frames: Frames, wanted: Wanted, name_of: NameOf, report: Report) -> tuple[int, int]:
    """Walk the samples of all chunks; (samples, errors), counting the samples of aggregate chunks by their counts."""
    subs = frames.subs
    field = subs[:, 0]
    found = np.empty((len(subs), 6), np.int64)
    floats = subs[subs[:, 1] == FLOAT_HISTOGRAM, 3]
    scan_samples(frames.arena, subs, np.empty(int(floats.max(initial=0)) + 2, np.int64), found)
    chunk = np.repeat(np.arange(len(frames.starts) - 1), np.diff(frames.starts))
    times = None if wanted.times is None else wanted.times[chunk]
    errors = 0
    for severity, code, sub, message in _findings(field, found, times):
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
    counted = (found[:, 0] == 0) & ((field == RAW) | (field == COUNT))
    return int(found[counted, 1].sum()), errors


def _findings(field: Int64, found: Int64, times: Int64 | None) -> Iterator[Finding]:
    status, count, first, last, backward, spare = found.T
    for i in np.flatnonzero(status).tolist():
        yield "error", "chunk-samples", i, explain(int(status[i]))
    whole = (status == 0) & (count > 0)
    # The counter's last sample repeats the time of the one before, to tell the last raw value.
    for i in np.flatnonzero(whole & (backward > (field == COUNTER))).tolist():
        yield "error", "chunk-order", i, f"{backward[i]} samples are not later than the one before"
    for i in np.flatnonzero(whole & (spare >= SPARE)).tolist():
        yield "warning", "chunk-spare", i, f"{spare[i] // 8} bytes follow the last sample"
    if times is not None:
        yield from _time_findings(field, whole, first, last, times)


def _time_findings(field: Int64, whole: Int64, first: Int64, last: Int64, times: Int64) -> Iterator[Finding]:
    """Samples outside the times of the index are lost to queries; a range that is too wide costs a read."""
    mint, maxt = times.T
    begin = np.where(field == COUNTER, mint, first)  # a counter begins with a raw sample, before the first window
    outside = whole & ((begin < mint) | (last > maxt))
    inside = whole & ~outside & ((begin > mint) | (last < maxt))
    for i in np.flatnonzero(outside | inside).tolist():
        severity: Severity = "error" if outside[i] else "warning"
        message = f"samples from {first[i]} to {last[i]}, but the index says {mint[i]} to {maxt[i]}"
        yield severity, "chunk-times", i, message
