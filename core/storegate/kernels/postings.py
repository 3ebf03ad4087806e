# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Postings lists: decode, set algebra over ascending uint32 arrays of series refs, and the joining of byte ranges."""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

import numpy as np

if cython.compiled:
    from cython.cimports.storegate.kernels.hashing import crc32c_at
else:
    from storegate.kernels.hashing import crc32c as _crc32c

    def crc32c_at(p, pos, length):
        return _crc32c(p, pos, pos + length)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _u32(p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t) -> cython.uint:
    return (
        (cython.cast(cython.uint, p[pos]) << 24)
        | (cython.cast(cython.uint, p[pos + 1]) << 16)
        | (cython.cast(cython.uint, p[pos + 2]) << 8)
        | p[pos + 3]
    )


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _count(
    p: cython.pointer(cython.const[cython.uchar]), lists: cython.const[cython.longlong][:, ::1]
) -> tuple[cython.int, cython.longlong]:
    i: cython.Py_ssize_t
    count: cython.longlong
    total: cython.longlong = 0
    for i in range(lists.shape[0]):
        if lists[i, 1] - lists[i, 0] < 8:
            return 10, i
        count = _u32(p, lists[i, 0])
        if 4 + 4 * count + 4 > lists[i, 1] - lists[i, 0]:
            return 10, i
        total += count
    return 0, total


def count_postings(data, lists):
    """How many refs the lists at `lists` int64[n, 2] hold, each from its count field to behind its checksum.

    Returns (status, refs in all, or the number of the list that is wrong).
    """
    buf: cython.const[cython.uchar][::1] = memoryview(data)
    spans: cython.const[cython.longlong][:, ::1] = memoryview(lists)
    p: cython.pointer(cython.const[cython.uchar])
    i: cython.Py_ssize_t
    status: cython.int
    total: cython.longlong
    for i in range(spans.shape[0]):
        if not 0 <= spans[i, 0] <= spans[i, 1] <= buf.shape[0]:
            raise ValueError("a list is outside the buffer")
    if spans.shape[0] == 0:
        return 0, 0
    if buf.shape[0] == 0:
        return 10, 0
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        status, total = _count(p, spans)
    return status, total


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _decode(
    p: cython.pointer(cython.const[cython.uchar]),
    lists: cython.const[cython.longlong][:, ::1],
    starts: cython.longlong[::1],
    out: cython.uint[::1],
) -> tuple[cython.int, cython.Py_ssize_t]:
    i: cython.Py_ssize_t
    pos: cython.Py_ssize_t
    count: cython.Py_ssize_t
    n: cython.Py_ssize_t = 0
    ref: cython.uint
    last: cython.longlong
    for i in range(lists.shape[0]):
        starts[i] = n
        pos = lists[i, 0]
        count = _u32(p, pos)
        if crc32c_at(p, pos, 4 + 4 * count) != _u32(p, pos + 4 + 4 * count):
            return 26, i
        last = -1
        for _ in range(count):
            pos += 4
            ref = _u32(p, pos)
            if cython.cast(cython.longlong, ref) <= last:
                return 11, i
            last = ref
            out[n] = ref
            n += 1
    starts[lists.shape[0]] = n
    return 0, n


def decode_postings(data, lists, starts, out):
    """Decode the lists that `count_postings` has counted, one after another, into `out` uint32[total].

    Each list's checksum and order are checked; `starts` int64[n + 1] says where each begins in `out`. Returns (status,
    number of the list that is wrong).
    """
    buf: cython.const[cython.uchar][::1] = memoryview(data)
    spans: cython.const[cython.longlong][:, ::1] = memoryview(lists)
    cuts: cython.longlong[::1] = memoryview(starts)
    refs: cython.uint[::1] = memoryview(out)
    p: cython.pointer(cython.const[cython.uchar])
    status: cython.int
    where: cython.Py_ssize_t
    counted = count_postings(data, lists)
    if counted[0] != 0 or counted[1] != refs.shape[0] or cuts.shape[0] != spans.shape[0] + 1:
        raise ValueError("the output does not fit the lists")
    if spans.shape[0] == 0:
        cuts[0] = 0
        return 0, 0
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        status, where = _decode(p, spans, cuts, refs)
    return status, where


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
