# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""One order over the sorted label sets of many blocks: a k-way merge by heap."""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

if cython.compiled:
    from cython.cimports.storegate.kernels.labels import compare_at
else:
    from storegate.kernels.labels import compare_at


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
    """Whether source a's next label set goes before source b's; equal ones keep the order of the sources."""
    i: cython.longlong = cursor[a]
    j: cython.longlong = cursor[b]
    order: cython.int = compare_at(p, starts[i], starts[i + 1], starts[j], starts[j + 1])
    return order < 0 or (order == 0 and a < b)


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
def _merge(
    p: cython.pointer(cython.const[cython.uchar]),
    starts: cython.const[cython.longlong][::1],
    bounds: cython.const[cython.longlong][::1],
    cursor: cython.longlong[::1],
    heap: cython.longlong[::1],
    order: cython.longlong[::1],
    first: cython.uchar[::1],
) -> cython.Py_ssize_t:
    k: cython.Py_ssize_t
    n: cython.Py_ssize_t = 0
    size: cython.Py_ssize_t = 0
    item: cython.longlong
    last: cython.longlong = -1
    source: cython.longlong
    for k in range(bounds.shape[0] - 1):
        cursor[k] = bounds[k]
        if bounds[k] < bounds[k + 1]:
            heap[size] = k
            size += 1
    k = size // 2
    while k > 0:
        k -= 1
        _sink(p, starts, cursor, heap, k, size)
    while size > 0:
        source = heap[0]
        item = cursor[source]
        order[n] = item
        first[n] = last < 0 or compare_at(p, starts[last], starts[last + 1], starts[item], starts[item + 1]) != 0
        last = item
        n += 1
        cursor[source] = item + 1
        if item + 1 == bounds[source + 1]:
            size -= 1
            heap[0] = heap[size]
        if size > 0:
            _sink(p, starts, cursor, heap, 0, size)
    return n


def merge_labels(arena, starts, bounds, scratch, order, first):
    """Merge k sorted runs of label sets into one order.

    Run s holds the sets `bounds[s]` to `bounds[s + 1]` (int64[k + 1]) of the arena that `starts` int64[n + 1] cuts.
    `order` int64[n] gets the set indexes, ties in the order of the runs; `first` uint8[n] is 1 where a set differs from
    the one before. `scratch` is int64[2, k].
    """
    buf: cython.const[cython.uchar][::1] = memoryview(arena if len(arena) else b"\0")
    cuts: cython.const[cython.longlong][::1] = memoryview(starts)
    runs: cython.const[cython.longlong][::1] = memoryview(bounds)
    work: cython.longlong[:, ::1] = memoryview(scratch)
    result: cython.longlong[::1] = memoryview(order)
    flags: cython.uchar[::1] = memoryview(first)
    p: cython.pointer(cython.const[cython.uchar])
    k: cython.Py_ssize_t
    n: cython.Py_ssize_t = cuts.shape[0] - 1
    if runs[0] != 0 or runs[runs.shape[0] - 1] != n or cuts[n] > len(arena):
        raise ValueError("the runs do not cover the label sets")
    for k in range(runs.shape[0] - 1):
        if runs[k] > runs[k + 1]:
            raise ValueError("the runs do not ascend")
    if result.shape[0] != n or flags.shape[0] != n or work.shape[0] != 2 or work.shape[1] < runs.shape[0] - 1:
        raise ValueError("the output is too small")
    if n == 0:
        return
    cursor = scratch[0]
    heap = scratch[1]
    c: cython.longlong[::1] = memoryview(cursor)
    h: cython.longlong[::1] = memoryview(heap)
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        _merge(p, cuts, runs, c, h, result, flags)
