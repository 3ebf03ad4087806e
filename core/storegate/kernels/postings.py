# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Postings lists: decode and set algebra over ascending uint32 arrays of series refs."""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

import numpy as np


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _decode(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t, out: cython.uint[::1]
) -> cython.Py_ssize_t:
    """Index of the first ref that does not ascend, -1 when all do."""
    i: cython.Py_ssize_t
    ref: cython.uint
    last: cython.longlong = -1
    for i in range(out.shape[0]):
        ref = (
            (cython.cast(cython.uint, p[pos]) << 24)
            | (cython.cast(cython.uint, p[pos + 1]) << 16)
            | (cython.cast(cython.uint, p[pos + 2]) << 8)
            | p[pos + 3]
        )
        pos += 4
        if cython.cast(cython.longlong, ref) <= last:
            return i
        last = ref
        out[i] = ref
    return -1


def decode_postings(data, position, out):
    """Read `out` (uint32[count]) big-endian refs from `position`; -1, or the index of the first that does not ascend."""
    buf: cython.const[cython.uchar][::1] = memoryview(data)
    refs: cython.uint[::1] = memoryview(out)
    p: cython.pointer(cython.const[cython.uchar])
    pos: cython.Py_ssize_t = position
    bad: cython.Py_ssize_t
    if pos < 0 or refs.shape[0] * 4 > buf.shape[0] - pos:
        raise ValueError("the list is outside the buffer")
    if refs.shape[0] == 0:
        return -1
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        bad = _decode(p, pos, refs)
    return bad


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _seek(a: cython.const[cython.uint][::1], i: cython.Py_ssize_t, target: cython.uint) -> cython.Py_ssize_t:
    """First index from `i` on with a[index] >= target: doubling steps, then halving."""
    step: cython.Py_ssize_t = 1
    low: cython.Py_ssize_t = i
    high: cython.Py_ssize_t
    middle: cython.Py_ssize_t
    n: cython.Py_ssize_t = a.shape[0]
    while low + step < n and a[low + step] < target:
        low += step
        step *= 2
    high = low + step + 1
    if high > n:
        high = n
    while low < high:
        middle = (low + high) // 2
        if a[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _intersect(
    a: cython.const[cython.uint][::1], b: cython.const[cython.uint][::1], out: cython.uint[::1]
) -> cython.Py_ssize_t:
    i: cython.Py_ssize_t = 0
    j: cython.Py_ssize_t = 0
    n: cython.Py_ssize_t = 0
    while i < a.shape[0] and j < b.shape[0]:
        if a[i] < b[j]:
            i = _seek(a, i, b[j])
        elif b[j] < a[i]:
            j = _seek(b, j, a[i])
        else:
            out[n] = a[i]
            n += 1
            i += 1
            j += 1
    return n


def intersect(left, right):
    """Refs in both ascending uint32 arrays, as a new array."""
    a: cython.const[cython.uint][::1] = memoryview(left)
    b: cython.const[cython.uint][::1] = memoryview(right)
    result = np.empty(min(a.shape[0], b.shape[0]), np.uint32)
    out: cython.uint[::1] = memoryview(result)
    n: cython.Py_ssize_t
    with cython.nogil:
        n = _intersect(a, b, out)
    return result[:n]


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _subtract(
    a: cython.const[cython.uint][::1], b: cython.const[cython.uint][::1], out: cython.uint[::1]
) -> cython.Py_ssize_t:
    i: cython.Py_ssize_t = 0
    j: cython.Py_ssize_t = 0
    n: cython.Py_ssize_t = 0
    while i < a.shape[0]:
        if j < b.shape[0] and b[j] < a[i]:
            j = _seek(b, j, a[i])
            continue
        if j < b.shape[0] and b[j] == a[i]:
            j += 1
        else:
            out[n] = a[i]
            n += 1
        i += 1
    return n


def subtract(left, right):
    """Refs of `left` that are not in `right`, as a new array."""
    a: cython.const[cython.uint][::1] = memoryview(left)
    b: cython.const[cython.uint][::1] = memoryview(right)
    result = np.empty(a.shape[0], np.uint32)
    out: cython.uint[::1] = memoryview(result)
    n: cython.Py_ssize_t
    with cython.nogil:
        n = _subtract(a, b, out)
    return result[:n]


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _union(
    a: cython.const[cython.uint][::1], b: cython.const[cython.uint][::1], out: cython.uint[::1]
) -> cython.Py_ssize_t:
    i: cython.Py_ssize_t = 0
    j: cython.Py_ssize_t = 0
    n: cython.Py_ssize_t = 0
    while i < a.shape[0] or j < b.shape[0]:
        if j >= b.shape[0] or (i < a.shape[0] and a[i] < b[j]):
            out[n] = a[i]
            i += 1
        elif i >= a.shape[0] or b[j] < a[i]:
            out[n] = b[j]
            j += 1
        else:
            out[n] = a[i]
            i += 1
            j += 1
        n += 1
    return n


def union(left, right):
    """Refs in either ascending uint32 array, each once, as a new array."""
    a: cython.const[cython.uint][::1] = memoryview(left)
    b: cython.const[cython.uint][::1] = memoryview(right)
    result = np.empty(a.shape[0] + b.shape[0], np.uint32)
    out: cython.uint[::1] = memoryview(result)
    n: cython.Py_ssize_t
    with cython.nogil:
        n = _union(a, b, out)
    return result[:n]


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _coalesce(
    starts: cython.const[cython.longlong][::1],
    ends: cython.const[cython.longlong][::1],
    gap: cython.longlong,
    out: cython.longlong[::1],
) -> cython.Py_ssize_t:
    i: cython.Py_ssize_t
    n: cython.Py_ssize_t = 0
    end: cython.longlong = 0
    for i in range(starts.shape[0]):
        if i == 0 or starts[i] > end + gap:
            out[n] = i
            n += 1
            end = ends[i]
        elif ends[i] > end:
            end = ends[i]
    return n


def coalesce(starts, ends, gap):
    """Where a new read begins when ranges at most `gap` bytes apart share one.

    `starts` (ascending) and `ends` are int64 arrays of equal length: see
    `storegate.types.Partitioner`. Returns int64 indexes.
    """
    s: cython.const[cython.longlong][::1] = memoryview(starts)
    e: cython.const[cython.longlong][::1] = memoryview(ends)
    result = np.empty(s.shape[0], np.int64)
    out: cython.longlong[::1] = memoryview(result)
    g: cython.longlong = gap
    n: cython.Py_ssize_t
    if e.shape[0] != s.shape[0]:
        raise ValueError("starts and ends differ in length")
    with cython.nogil:
        n = _coalesce(s, e, g, out)
    return result[:n]
