# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Samples of many chunks as one run per series: in order, each time once, within a range of time."""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _sort(
    times: cython.const[cython.longlong][::1],
    order: cython.longlong[::1],
    spare: cython.longlong[::1],
    start: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
) -> cython.int:
    """Stable merge sort of order[start:end] by time; runs that ascend already are merged, and there are few of them."""
    i: cython.Py_ssize_t
    j: cython.Py_ssize_t
    k: cython.Py_ssize_t
    low: cython.Py_ssize_t
    middle: cython.Py_ssize_t
    high: cython.Py_ssize_t
    merged: cython.bint = True
    while merged:
        merged = False
        low = start
        while low < end:
            middle = low + 1
            while middle < end and times[order[middle - 1]] <= times[order[middle]]:
                middle += 1
            if middle == end:
                break
            high = middle + 1
            while high < end and times[order[high - 1]] <= times[order[high]]:
                high += 1
            for k in range(low, high):
                spare[k] = order[k]
            i = low
            j = middle
            for k in range(low, high):
                if j >= high or (i < middle and times[spare[i]] <= times[spare[j]]):
                    order[k] = spare[i]
                    i += 1
                else:
                    order[k] = spare[j]
                    j += 1
            merged = True
            low = high
    return 0


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _order(
    starts: cython.const[cython.longlong][::1],
    times: cython.const[cython.longlong][::1],
    low: cython.longlong,
    high: cython.longlong,
    order: cython.longlong[::1],
    spare: cython.longlong[::1],
    kept: cython.longlong[::1],
) -> cython.Py_ssize_t:
    g: cython.Py_ssize_t
    i: cython.Py_ssize_t
    n: cython.Py_ssize_t = 0
    first: cython.Py_ssize_t
    ascending: cython.bint
    for g in range(starts.shape[0] - 1):
        first = n
        kept[g] = n
        ascending = True
        for i in range(starts[g], starts[g + 1]):
            if times[i] < low or times[i] > high:
                continue
            if n > first and times[order[n - 1]] >= times[i]:
                ascending = False
            order[n] = i
            n += 1
        if ascending:
            continue
        _sort(times, order, spare, first, n)
        for i in range(first + 1, n):
            if times[order[i]] != times[order[first]]:
                first += 1
                order[first] = order[i]
        n = first + 1
    kept[starts.shape[0] - 1] = n
    return n


def order_samples(starts, times, low, high, order, spare, kept):
    """Put the samples of each series into the order of their times; of equal times the first one stays.

    `starts` int64[g + 1] cuts the samples by series; those before `low` or after `high` are left out. `order` int64[n]
    gets indexes of samples, `kept` int64[g + 1] cuts it by series; `spare` is int64[n]. Returns how many stay.
    """
    cuts: cython.const[cython.longlong][::1] = memoryview(starts)
    t: cython.const[cython.longlong][::1] = memoryview(times)
    out: cython.longlong[::1] = memoryview(order)
    other: cython.longlong[::1] = memoryview(spare)
    kept_cuts: cython.longlong[::1] = memoryview(kept)
    lowest: cython.longlong = low
    highest: cython.longlong = high
    g: cython.Py_ssize_t
    n: cython.Py_ssize_t = t.shape[0]
    total: cython.Py_ssize_t
    if out.shape[0] < n or other.shape[0] < n or kept_cuts.shape[0] < cuts.shape[0]:
        raise ValueError("the output is too small")
    if cuts[0] != 0 or cuts[cuts.shape[0] - 1] > n:
        raise ValueError("the starts do not fit the samples")
    for g in range(cuts.shape[0] - 1):
        if cuts[g] > cuts[g + 1]:
            raise ValueError("the starts do not ascend")
    with cython.nogil:
        total = _order(cuts, t, lowest, highest, out, other, kept_cuts)
    return total


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _join(
    starts: cython.const[cython.longlong][::1],
    times: cython.const[cython.longlong][::1],
    low: cython.longlong,
    high: cython.longlong,
    values: cython.double[::1],
    order: cython.longlong[::1],
    kept: cython.longlong[::1],
) -> cython.Py_ssize_t:
    g: cython.Py_ssize_t
    i: cython.Py_ssize_t
    n: cython.Py_ssize_t = 0
    total: cython.double
    before: cython.double
    value: cython.double
    last: cython.longlong
    begun: cython.bint
    for g in range(starts.shape[0] - 1):
        kept[g] = n
        total = 0.0
        before = 0.0
        last = 0
        begun = False
        for i in range(starts[g], starts[g + 1]):
            value = values[i]
            if value != value or (begun and times[i] < last):
                continue
            if begun and times[i] == last:
                before = value
                continue
            if not begun:
                total = value
            else:
                total += value - before if value >= before else value
            begun = True
            last = times[i]
            before = value
            values[i] = total
            if low <= last <= high:
                order[n] = i
                n += 1
    kept[starts.shape[0] - 1] = n
    return n


def join_counters(starts, times, low, high, values, order, kept):
    """Join counter aggregates of float series to running totals, in place (the rule of formats 6.6).

    `starts` int64[g + 1] cuts the samples by series, chunks in order; `values` float64[n]. A sample with the time of
    its predecessor only says from which value the next one grows; one that is older is passed over, and so is a NaN.
    Those before `low` or after `high` count, and are left out. `order` and `kept` as from `order_samples`.
    """
    cuts: cython.const[cython.longlong][::1] = memoryview(starts)
    t: cython.const[cython.longlong][::1] = memoryview(times)
    v: cython.double[::1] = memoryview(values)
    out: cython.longlong[::1] = memoryview(order)
    kept_cuts: cython.longlong[::1] = memoryview(kept)
    lowest: cython.longlong = low
    highest: cython.longlong = high
    g: cython.Py_ssize_t
    n: cython.Py_ssize_t = t.shape[0]
    total: cython.Py_ssize_t
    if out.shape[0] < n or v.shape[0] < n or kept_cuts.shape[0] < cuts.shape[0]:
        raise ValueError("the output is too small")
    if cuts[0] != 0 or cuts[cuts.shape[0] - 1] > n:
        raise ValueError("the starts do not fit the samples")
    for g in range(cuts.shape[0] - 1):
        if cuts[g] > cuts[g + 1]:
            raise ValueError("the starts do not ascend")
    with cython.nogil:
        total = _join(cuts, t, lowest, highest, v, out, kept_cuts)
    return total
