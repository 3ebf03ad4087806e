"""Downsampled chunks as plain samples: which aggregates a query needs, and what becomes of them.

Prometheus knows no aggregates, so each time has one value. Around a selector whose function measures growth that is
the counter aggregate; for the minimum, maximum or sum over time it is that of the window; else it is the average.
"""

from __future__ import annotations

import numpy as np

from storegate.errors import CorruptError
from storegate.kernels import order as order_kernel
from storegate.query.request import Aggregate
from storegate_remote_read.columns import ENCODING, FIELD, MAX_TIME, XOR, Int64, Order, Samples, in_order

ALWAYS = (-(2**63), 2**63 - 1)
COUNT, SUM, COUNTER = 4, 5, 8
"""Fields of AggrChunk."""
STALE_BITS = 0x7FF0000000000002
"""The NaN that marks the end of a series."""
_GROWTH = ("rate", "irate", "increase")
_BY_FUNCTION = {
    "min_over_time": (Aggregate.MIN,),
    "max_over_time": (Aggregate.MAX,),
    "sum_over_time": (Aggregate.SUM,),
} | dict.fromkeys(_GROWTH, (Aggregate.COUNTER,))
_AVERAGE = (Aggregate.COUNT, Aggregate.SUM)


def aggregates_for(function: str) -> tuple[Aggregate, ...]:
    """What to ask of downsampled blocks for a selector inside of this function."""
    return _BY_FUNCTION.get(function, _AVERAGE)


def reduce_samples(samples: Samples, runs: Int64, aggregates: tuple[int, ...]) -> Order:
    """Bring decoded chunks, raw or aggregates, to one value for each time. Changes `samples`.

    `runs` cuts the chunks into runs; each must hold all aggregates of a series if counters are asked for.
    """
    cuts = samples.cuts(runs)
    if not (samples.chunks[:, FIELD] != 3).any():
        return in_order(samples, cuts, *ALWAYS)
    if aggregates == _AVERAGE:
        with np.errstate(divide="ignore", invalid="ignore"):
            cuts = _average(samples, cuts, runs)
    if Aggregate.COUNTER in aggregates and (samples.chunks[:, ENCODING] == XOR).all():
        n = len(samples.times)
        index, kept = np.empty(n, np.int64), np.empty(len(cuts), np.int64)
        values = samples.values.view(np.float64)
        order_kernel.join_counters(cuts, samples.times, *ALWAYS, values, index, kept)
        return Order(index, kept)
    return in_order(samples, cuts, *ALWAYS)


def _average(samples: Samples, cuts: Int64, runs: Int64) -> Int64:
    """Divide sums by the counts before them, and drop the counts; the cuts that fit what is left."""
    chunks, starts = samples.chunks, samples.starts[:, 0]
    sums = np.flatnonzero(chunks[:, FIELD] == SUM)
    counts = sums - 1
    paired = ~np.isin(sums, runs) & (chunks[counts, FIELD] == COUNT)
    paired &= (chunks[counts, : MAX_TIME + 1] == chunks[sums, : MAX_TIME + 1]).all(axis=1)
    sums, counts = sums[paired], counts[paired]
    widths = np.diff(starts)[sums]
    if (np.diff(starts)[counts] != widths).any():
        raise CorruptError("the counts and the sums of a downsampled chunk are not of the same times")
    over, under = spread(starts[sums], widths), spread(starts[counts], widths)
    if (samples.times[over] != samples.times[under]).any():
        raise CorruptError("the counts and the sums of a downsampled chunk are not of the same times")
    divisors = samples.values[under].view(np.float64)
    plain = chunks[samples.rows[over], ENCODING] == XOR
    samples.values.view(np.float64)[over[plain]] /= divisors[plain]
    _divide_histograms(samples, over[~plain], divisors[~plain])
    keep_chunk = chunks[:, FIELD] == 3
    keep_chunk[sums] = True
    keep = keep_chunk[samples.rows]
    before = np.zeros(len(keep) + 1, np.int64)
    np.cumsum(keep, out=before[1:])
    samples.times, samples.values, samples.rows = samples.times[keep], samples.values[keep], samples.rows[keep]
    fitting: Int64 = before[cuts]
    return fitting


def _divide_histograms(samples: Samples, index: Int64, divisors: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    """Divide all numbers of these histograms, and make gauges of them: an average is no counter."""
    if not len(index):
        return
    layouts = samples.starts[samples.rows[index], 1]
    starts = samples.values[index]
    stale = samples.numbers[starts + 2] == STALE_BITS  # those have no buckets
    widths = np.where(stale, 3, 3 + samples.layouts[layouts + 5] + samples.layouts[layouts + 6])
    numbers = spread(starts, widths)
    samples.numbers.view(np.float64)[numbers] /= np.repeat(divisors, widths)
    samples.layouts[layouts + 7] = 1


def spread(starts: Int64, widths: Int64) -> Int64:
    """The indexes of all ranges, one after the other."""
    ends = np.cumsum(widths)
    total = int(ends[-1]) if len(ends) else 0
    indexes: Int64 = np.arange(total) + np.repeat(starts - (ends - widths), widths)
    return indexes
