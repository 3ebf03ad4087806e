"""Chunks as Prometheus takes them: raw, in order, none overlapping another of its series."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storegate.kernels import remote as remote_kernel
from storegate.query.request import Aggregate
from storegate_remote_read.aggregates import reduce_samples
from storegate_remote_read.columns import FIELD, MIN_TIME, Frame, Int64, decode, encode

RAW = 3
"""Field of AggrChunk."""
_NO_DATA: NDArray[np.uint8] = np.empty(0, np.uint8)


def untangle(frame: Frame, aggregates: tuple[int, ...]) -> tuple[Frame, NDArray[np.uint8]]:
    """Put chunks that overlap together, sample by sample, and aggregates into raw form; the others pass unopened.

    Of samples with the same time that of the earlier chunk stays. Returns the new tables, and the data of new chunks.
    Raises CorruptError.
    """
    groups = np.empty(len(frame.chunks), np.int64)
    whole = Aggregate.COUNTER in aggregates
    runs = remote_kernel.find_tangles(frame.first, frame.chunks, whole, groups)
    if not runs:
        return frame, _NO_DATA
    tangled = np.flatnonzero(groups >= 0)
    first = np.searchsorted(groups[tangled], np.arange(runs + 1))
    series = np.repeat(np.arange(len(frame.series)), np.diff(frame.first))
    data, made = _reencode(frame, tangled, first, aggregates)
    owner = series[tangled[first[:-1]]][made[:, FIELD]]
    made[:, FIELD] = RAW
    sound = groups < 0
    owners = np.concatenate([series[sound], owner])
    chunks = np.concatenate([frame.chunks[sound], made])
    order = np.lexsort((chunks[:, MIN_TIME], owners))
    cuts = np.searchsorted(owners[order], np.arange(len(frame.series) + 1))
    return Frame(frame.data, frame.series, np.ascontiguousarray(chunks[order]), cuts), data


def _reencode(
    frame: Frame, tangled: Int64, first: Int64, aggregates: tuple[int, ...]
) -> tuple[NDArray[np.uint8], Int64]:
    samples = decode(frame.data, np.ascontiguousarray(frame.chunks[tangled]))
    return encode(frame.data, samples, reduce_samples(samples, first, aggregates))
