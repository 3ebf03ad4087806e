# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What to read: the chunks of a window of series, their byte ranges by file, ranges joined into reads."""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

import numpy as np


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
        if i == 0 or starts[i] - gap > end:
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
    if s.shape[0] > 16384:
        with cython.nogil:
            n = _coalesce(s, e, g, out)
    else:
        n = _coalesce(s, e, g, out)
    return result[:n]


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _join(
    cuts: cython.const[cython.longlong][::1],
    starts: cython.const[cython.longlong][::1],
    ends: cython.const[cython.longlong][::1],
    out: cython.longlong[:, ::1],
) -> cython.longlong:
    r: cython.Py_ssize_t
    i: cython.Py_ssize_t
    last: cython.Py_ssize_t
    end: cython.longlong
    total: cython.longlong = 0
    for r in range(cuts.shape[0]):
        last = cuts[r + 1] if r + 1 < cuts.shape[0] else starts.shape[0]
        end = starts[cuts[r]]
        for i in range(cuts[r], last):
            if ends[i] > end:
                end = ends[i]
        out[r, 0] = cuts[r]
        out[r, 1] = starts[cuts[r]]
        out[r, 2] = total
        out[r, 3] = end - starts[cuts[r]]
        total += out[r, 3]
    return total


def join_ranges(cuts, starts, ends):
    """The reads that begin at the ranges `cuts` (ascending int64[r], the first 0), and the sum of their lengths.

    Each row of the table, int64[r, 4], is (first range, file offset, place in an arena, length).
    """
    c: cython.const[cython.longlong][::1] = memoryview(cuts)
    s: cython.const[cython.longlong][::1] = memoryview(starts)
    e: cython.const[cython.longlong][::1] = memoryview(ends)
    r: cython.Py_ssize_t
    total: cython.longlong
    for r in range(c.shape[0]):
        if not 0 <= c[r] < s.shape[0] or (r > 0 and c[r] <= c[r - 1]):
            raise ValueError("a partition is not made of ascending range numbers")
    if e.shape[0] != s.shape[0] or (s.shape[0] > 0 and (c.shape[0] == 0 or c[0] != 0)):
        raise ValueError("the arrays do not fit one another")
    table = np.empty((c.shape[0], 4), np.int64)
    out: cython.longlong[:, ::1] = memoryview(table)
    total = _join(c, s, e, out)
    return table, total


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _gather(
    order: cython.const[cython.longlong][::1],
    first: cython.const[cython.uchar][::1],
    begin: cython.Py_ssize_t,
    groups: cython.Py_ssize_t,
    limit: cython.Py_ssize_t,
    chunk_start: cython.const[cython.longlong][::1],
    chunks: cython.const[cython.longlong][:, ::1],
    leaders: cython.longlong[::1],
    group_start: cython.longlong[::1],
    rows: cython.longlong[:, ::1],
    fill: cython.bint,
) -> tuple[cython.Py_ssize_t, cython.Py_ssize_t, cython.Py_ssize_t]:
    i: cython.Py_ssize_t = begin
    j: cython.Py_ssize_t
    k: cython.longlong
    g: cython.Py_ssize_t = 0
    m: cython.Py_ssize_t = 0
    while i < order.shape[0] and g < groups and (g == 0 or m < limit):
        j = i
        if fill:
            leaders[g] = order[i]
            group_start[g] = m
        while j == i or (j < order.shape[0] and not first[j]):
            for k in range(chunk_start[order[j]], chunk_start[order[j] + 1]):
                if fill:
                    rows[m, 0] = chunks[k, 0]
                    rows[m, 1] = chunks[k, 1]
                    rows[m, 2] = chunks[k, 2]
                    rows[m, 3] = chunks[k, 3]
                m += 1
            j += 1
        i = j
        g += 1
    if fill:
        group_start[g] = m
    return i, g, m


def gather_chunks(order, first, begin, groups, limit, chunk_start, chunks, leaders, group_start, rows):
    """Choose a window: up to `groups` series from `order[begin]` on, fewer once they have `limit` chunks.

    `order` and `first` as from `merge_labels`, `chunk_start` int64[n + 1] cuts `chunks` int64[c, 4]. Without `rows`
    (None) it only counts; else fills `leaders` int64[g] (the label set of each series), `group_start` int64[g + 1] and
    `rows` int64[m, 4] with their chunks. Returns (position behind the window in `order`, series, chunks).
    """
    members: cython.const[cython.longlong][::1] = memoryview(order)
    flags: cython.const[cython.uchar][::1] = memoryview(first)
    starts: cython.const[cython.longlong][::1] = memoryview(chunk_start)
    table: cython.const[cython.longlong][:, ::1] = memoryview(chunks)
    fill: cython.bint = rows is not None
    one: cython.longlong[::1] = memoryview(leaders)
    two: cython.longlong[::1] = memoryview(group_start)
    three: cython.longlong[:, ::1] = memoryview(rows if fill else np.empty((0, 4), np.int64))
    b: cython.Py_ssize_t = begin
    g: cython.Py_ssize_t = groups
    most: cython.Py_ssize_t = limit
    i: cython.Py_ssize_t
    m: cython.Py_ssize_t
    if b < 0 or flags.shape[0] != members.shape[0] or table.shape[1] != 4 or three.shape[1] != 4:
        raise ValueError("the arrays do not fit one another")
    if starts[starts.shape[0] - 1] > table.shape[0]:
        raise ValueError("the starts go past the chunks")
    for i in range(b, members.shape[0]):
        if not 0 <= members[i] < starts.shape[0] - 1:
            raise ValueError("an index is out of bounds")
        if i - b > g and flags[i]:
            break
    if most > 16384:
        with cython.nogil:
            i, g, m = _gather(members, flags, b, g, most, starts, table, one, two, three, False)
    else:
        i, g, m = _gather(members, flags, b, g, most, starts, table, one, two, three, False)
    if fill:
        if one.shape[0] < g or two.shape[0] < g + 1 or three.shape[0] < m:
            raise ValueError("the output is too small")
        if m > 16384:
            with cython.nogil:
                _gather(members, flags, b, g, most, starts, table, one, two, three, True)
        else:
            _gather(members, flags, b, g, most, starts, table, one, two, three, True)
    return i, g, m


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _merge_sort(
    rows: cython.const[cython.longlong][:, ::1], order: cython.longlong[::1], spare: cython.longlong[::1]
) -> cython.int:
    """Stable bottom-up sort of chunks by place. Returns 1 if the result is in spare."""
    n: cython.Py_ssize_t = order.shape[0]
    width: cython.Py_ssize_t = 1
    low: cython.Py_ssize_t
    middle: cython.Py_ssize_t
    high: cython.Py_ssize_t
    i: cython.Py_ssize_t
    j: cython.Py_ssize_t
    k: cython.Py_ssize_t
    flip: cython.int = 0
    a: cython.longlong[::1] = order
    b: cython.longlong[::1] = spare
    c: cython.longlong[::1]
    while width < n:
        low = 0
        while low < n:
            middle = low + width if low + width < n else n
            high = low + 2 * width if low + 2 * width < n else n
            i = low
            j = middle
            for k in range(low, high):
                if j >= high or (i < middle and rows[a[i], 2] <= rows[a[j], 2]):
                    b[k] = a[i]
                    i += 1
                else:
                    b[k] = a[j]
                    j += 1
            low = high
        c = a
        a = b
        b = c
        flip = 1 - flip
        width *= 2
    return flip


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _plan(
    rows: cython.const[cython.longlong][:, ::1],
    order: cython.const[cython.longlong][::1],
    files: cython.const[cython.longlong][:, ::1],
    starts: cython.longlong[::1],
    ends: cython.longlong[::1],
    runs: cython.longlong[::1],
) -> tuple[cython.int, cython.Py_ssize_t]:
    i: cython.Py_ssize_t
    n: cython.Py_ssize_t = order.shape[0]
    r: cython.Py_ssize_t = 0
    key: cython.longlong
    file: cython.longlong
    last: cython.longlong = -1
    offset: cython.longlong
    end: cython.longlong
    wanted: cython.longlong = 0
    low32: cython.longlong = 0xFFFFFFFF
    i = n
    while i > 0:  # from the back, to know the next wanted offset of the file
        i -= 1
        key = rows[order[i], 2]
        file = key >> 32
        offset = key & low32
        if file < 0 or file >= files.shape[0]:
            return 19, order[i]
        if files[file, 1] > 0 and offset >= files[file, 1]:
            return 20, order[i]
        if file != last:
            wanted = 0
        elif rows[order[i + 1], 2] != key:
            wanted = rows[order[i + 1], 2] & low32
        last = file
        end = rows[order[i], 3]
        if end == 0 or end - offset > 1048576:  # no chunk is that long: other things lie between
            end = offset + files[file, 0]
        if wanted > 0 and wanted < end:
            end = wanted
        if files[file, 1] > 0 and end > files[file, 1]:
            end = files[file, 1]
        starts[i] = offset
        ends[i] = end
    last = -1
    for i in range(n):
        file = rows[order[i], 2] >> 32
        if file != last:
            runs[r] = i
            r += 1
            last = file
    runs[r] = n
    return 0, r


def plan_chunks(rows, files, order, spare, starts, ends, runs):
    """Sort wanted chunks by place and bound each one's bytes (spec of the estimate: chunk segment format, 5.3).

    `rows` int64[m, 4]: (mint, maxt, file number << 32 | offset, offset of the following chunk of the series or 0);
    `files` int64[f, 2]: bytes to assume for a chunk of unknown end, size of the file (0 unknown). Fills `order`
    int64[m] (chunks by place), `starts` and `ends` int64[m] in that order, `runs` int64[f + 1] (where each file
    begins). Returns (status, number of runs or the chunk that is wrong).
    """
    k: cython.const[cython.longlong][:, ::1] = memoryview(rows)
    f: cython.const[cython.longlong][:, ::1] = memoryview(files)
    index: cython.longlong[::1] = memoryview(order)
    other: cython.longlong[::1] = memoryview(spare)
    s: cython.longlong[::1] = memoryview(starts)
    e: cython.longlong[::1] = memoryview(ends)
    r: cython.longlong[::1] = memoryview(runs)
    i: cython.Py_ssize_t
    m: cython.Py_ssize_t = k.shape[0]
    ordered: cython.bint = True
    flip: cython.int = 0
    status: cython.int
    found: cython.Py_ssize_t
    if k.shape[1] != 4 or index.shape[0] != m or other.shape[0] != m or s.shape[0] != m or e.shape[0] != m:
        raise ValueError("the arrays differ in length")
    if r.shape[0] < f.shape[0] + 1 or f.shape[1] != 2:
        raise ValueError("the output is too small")
    for i in range(m):
        index[i] = i
        if i > 0 and k[i, 2] < k[i - 1, 2]:
            ordered = False
    if not ordered:
        with cython.nogil:
            flip = _merge_sort(k, index, other)
        if flip:
            index[:] = other
    if m > 16384:
        with cython.nogil:
            status, found = _plan(k, index, f, s, e, r)
    else:
        status, found = _plan(k, index, f, s, e, r)
    return status, found


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _place(
    order: cython.const[cython.longlong][::1],
    starts: cython.const[cython.longlong][::1],
    reads: cython.const[cython.longlong][:, ::1],
    places: cython.longlong[:, ::1],
) -> cython.int:
    i: cython.Py_ssize_t
    r: cython.Py_ssize_t
    last: cython.Py_ssize_t
    at: cython.longlong
    for r in range(reads.shape[0]):
        last = reads[r + 1, 0] if r + 1 < reads.shape[0] else order.shape[0]
        for i in range(reads[r, 0], last):
            at = starts[i] - reads[r, 1]
            places[order[i], 0] = reads[r, 2] + at
            places[order[i], 1] = reads[r, 2] + (reads[r, 3] if reads[r, 3] > at else at)
    return 0


def place_chunks(order, starts, reads, places):
    """Where chunks lie in the arena after the reads.

    `reads` int64[r, 4]: (first chunk in `order`, file offset, place in the arena, bytes read), ascending; `places`
    int64[m, 2] gets (position, end of the bytes that were read) by chunk.
    """
    index: cython.const[cython.longlong][::1] = memoryview(order)
    offsets: cython.const[cython.longlong][::1] = memoryview(starts)
    done: cython.const[cython.longlong][:, ::1] = memoryview(reads)
    out: cython.longlong[:, ::1] = memoryview(places)
    r: cython.Py_ssize_t
    previous: cython.longlong = -1
    if done.shape[1] != 4 or out.shape[1] != 2 or out.shape[0] != index.shape[0]:
        raise ValueError("the arrays do not fit one another")
    for r in range(done.shape[0]):
        if not previous < done[r, 0] < index.shape[0]:
            raise ValueError("the reads do not ascend")
        previous = done[r, 0]
    if index.shape[0] > 16384:
        with cython.nogil:
            _place(index, offsets, done, out)
    else:
        _place(index, offsets, done, out)
