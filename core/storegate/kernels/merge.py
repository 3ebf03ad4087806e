# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""One order over the sorted label sets of many blocks.

Blocks beside one another in time mostly hold the same series. So equal sets are brought together by hash first, and a
heap merges what is left of each block's run: a comparison per block and series would cost ten times as much.
"""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

import numpy as np

if cython.compiled:
    from cython.cimports.storegate.kernels.hashing import xxh64_at
    from cython.cimports.storegate.kernels.labels import compare_at
    from cython.cimports.storegate.kernels.wire import sg_compare
else:
    from storegate.kernels.hashing import xxh64 as _xxh64
    from storegate.kernels.labels import compare_at
    from storegate.kernels.wire import sg_compare

    def xxh64_at(p, pos, length):
        return _xxh64(bytes(p[pos : pos + length]))


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _before(
    p: cython.pointer(cython.const[cython.uchar]),
    starts: cython.const[cython.longlong][::1],
    cursor: cython.longlong[::1],
    a: cython.longlong,
    b: cython.longlong,
) -> cython.bint:
    """Whether source a's next label set goes before source b's; no two are equal."""
    i: cython.longlong = cursor[a]
    j: cython.longlong = cursor[b]
    return compare_at(p, starts[i], starts[i + 1], starts[j], starts[j + 1]) < 0


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _sink(
    p: cython.pointer(cython.const[cython.uchar]),
    starts: cython.const[cython.longlong][::1],
    cursor: cython.longlong[::1],
    heap: cython.longlong[::1],
    at: cython.Py_ssize_t,
    size: cython.Py_ssize_t,
) -> cython.int:
    """Move the source at heap[at] down to its place."""
    child: cython.Py_ssize_t
    source: cython.longlong = heap[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and _before(p, starts, cursor, heap[child + 1], heap[child]):
            child += 1
        if not _before(p, starts, cursor, heap[child], source):
            break
        heap[at] = heap[child]
        at = child
    heap[at] = source
    return 0


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _chain(
    p: cython.pointer(cython.const[cython.uchar]),
    starts: cython.const[cython.longlong][::1],
    hashes: cython.ulonglong[::1],
    table: cython.longlong[::1],
    following: cython.longlong[::1],
    last: cython.longlong[::1],
) -> cython.int:
    """Link equal sets. `last` is the last set of a chain at its first one, else -1; `following` is -1 at the end."""
    i: cython.Py_ssize_t
    at: cython.ulonglong
    mask: cython.ulonglong = table.shape[0] - 1
    other: cython.longlong
    size: cython.longlong
    for i in range(starts.shape[0] - 1):
        size = starts[i + 1] - starts[i]
        hashes[i] = xxh64_at(p, starts[i], size)
        following[i] = -1
        at = hashes[i] & mask
        while True:
            other = table[at]
            if other < 0:
                table[at] = i
                last[i] = i
                break
            if hashes[other] == hashes[i] and (
                sg_compare(p, starts[i], size, p, starts[other], starts[other + 1] - starts[other]) == 0
            ):
                following[last[other]] = i
                last[other] = i
                last[i] = -1
                break
            at = (at + 1) & mask
    return 0


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _next_first(last: cython.const[cython.longlong][::1], at: cython.longlong, end: cython.longlong) -> cython.longlong:
    """The next set that is the first of its chain, or `end`."""
    while at < end and last[at] < 0:
        at += 1
    return at


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _merge(
    p: cython.pointer(cython.const[cython.uchar]),
    starts: cython.const[cython.longlong][::1],
    bounds: cython.const[cython.longlong][::1],
    following: cython.const[cython.longlong][::1],
    last: cython.const[cython.longlong][::1],
    cursor: cython.longlong[::1],
    heap: cython.longlong[::1],
    order: cython.longlong[::1],
    first: cython.uchar[::1],
) -> cython.Py_ssize_t:
    k: cython.Py_ssize_t
    n: cython.Py_ssize_t = 0
    size: cython.Py_ssize_t = 0
    item: cython.longlong
    source: cython.longlong
    for k in range(bounds.shape[0] - 1):
        cursor[k] = _next_first(last, bounds[k], bounds[k + 1])
        if cursor[k] < bounds[k + 1]:
            heap[size] = k
            size += 1
    k = size // 2
    while k > 0:
        k -= 1
        _sink(p, starts, cursor, heap, k, size)
    while size > 0:
        source = heap[0]
        item = cursor[source]
        first[n] = 1
        while item >= 0:
            order[n] = item
            n += 1
            item = following[item]
            if item >= 0:
                first[n] = 0
        cursor[source] = _next_first(last, cursor[source] + 1, bounds[source + 1])
        if cursor[source] == bounds[source + 1]:
            size -= 1
            heap[0] = heap[size]
        if size > 0:
            _sink(p, starts, cursor, heap, 0, size)
    return n


def merge_labels(arena, starts, bounds, order, first):
    """Merge k sorted runs of label sets into one order.

    Run s holds the sets `bounds[s]` to `bounds[s + 1]` (int64[k + 1]) of the arena that `starts` int64[n + 1] cuts.
    `order` int64[n] gets the set indexes, ties in the order of the runs; `first` uint8[n] is 1 where a set differs from
    the one before.
    """
    buf: cython.const[cython.uchar][::1] = memoryview(arena if len(arena) else b"\0")
    cuts: cython.const[cython.longlong][::1] = memoryview(starts)
    runs: cython.const[cython.longlong][::1] = memoryview(bounds)
    result: cython.longlong[::1] = memoryview(order)
    flags: cython.uchar[::1] = memoryview(first)
    p: cython.pointer(cython.const[cython.uchar])
    k: cython.Py_ssize_t
    n: cython.Py_ssize_t = cuts.shape[0] - 1
    room: cython.Py_ssize_t = 2
    if runs[0] != 0 or runs[runs.shape[0] - 1] != n or cuts[n] > len(arena):
        raise ValueError("the runs do not cover the label sets")
    for k in range(runs.shape[0] - 1):
        if runs[k] > runs[k + 1]:
            raise ValueError("the runs do not ascend")
    if result.shape[0] != n or flags.shape[0] != n:
        raise ValueError("the output is too small")
    if n == 0:
        return
    while room < 2 * n:
        room *= 2
    hashes: cython.ulonglong[::1] = memoryview(np.empty(n, np.uint64))
    table: cython.longlong[::1] = memoryview(np.full(room, -1, np.int64))
    following: cython.longlong[::1] = memoryview(np.empty(n, np.int64))
    last: cython.longlong[::1] = memoryview(np.empty(n, np.int64))
    cursor: cython.longlong[::1] = memoryview(np.empty(runs.shape[0], np.int64))
    heap: cython.longlong[::1] = memoryview(np.empty(runs.shape[0], np.int64))
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        _chain(p, cuts, hashes, table, following, last)
        _merge(p, cuts, runs, following, last, cursor, heap, result, flags)
