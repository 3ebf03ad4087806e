# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""From chunks in an arena to parsed, hashed and de-duplicated chunks of a window of series.

A window is a run of output series; its chunks are rows of flat arrays, grouped by series in the order in which blocks
contributed them. Chunk data is never decoded: only its length, encoding byte, checksum and, for aggregate chunks, the
five slots are read.
"""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

import numpy as np

if cython.compiled:
    from cython.cimports.storegate.kernels.hashing import crc32c_and_xxh64_at, crc32c_at, sg_prefetch, xxh64_at
else:
    from storegate.kernels.hashing import crc32c as _crc32c
    from storegate.kernels.hashing import xxh64 as _xxh64

    def crc32c_at(p, pos, length):
        return _crc32c(p, pos, pos + length)

    def xxh64_at(p, pos, length):
        return _xxh64(p[pos : pos + length])

    def crc32c_and_xxh64_at(p, pos, length):
        return crc32c_at(p, pos - 1, length + 1), xxh64_at(p, pos, length)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _length(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t, end: cython.Py_ssize_t
) -> tuple[cython.longlong, cython.Py_ssize_t]:
    """A length of at most five varint bytes and the position behind it: -1 when cut off, -2 when it goes on."""
    value: cython.longlong = 0
    shift: cython.int = 0
    byte: cython.longlong
    while shift < 35:
        if pos >= end:
            return 0, -1
        byte = p[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos
        shift += 7
    return 0, -2


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _slots(
    p: cython.pointer(cython.const[cython.uchar]),
    pos: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    wanted: cython.int,
    n: cython.Py_ssize_t,
    subs: cython.longlong[:, ::1],
    hashes: cython.ulonglong[::1],
) -> cython.Py_ssize_t:
    """Add the wanted ones of an aggregate chunk's five slots; the new number of sub-chunks, or -1 when malformed."""
    slot: cython.int
    length: cython.longlong
    encoding: cython.int
    for slot in range(5):
        length, pos = _length(p, pos, end)
        if pos < 0:
            return -1
        if length == 0:
            continue
        if pos + 1 + length > end or p[pos] < 1 or p[pos] > 3:
            return -1
        encoding = p[pos]
        pos += 1
        if wanted & (1 << (slot + 1)):
            subs[n, 0] = slot + 4
            subs[n, 1] = encoding - 1
            subs[n, 2] = pos
            subs[n, 3] = length
            hashes[n] = xxh64_at(p, pos, length)
            n += 1
        pos += length
    return n if pos == end else -1


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _parse(
    p: cython.pointer(cython.const[cython.uchar]),
    places: cython.const[cython.longlong][:, ::1],
    wanted: cython.int,
    state: cython.longlong[::1],
    sub_start: cython.longlong[::1],
    subs: cython.longlong[:, ::1],
    hashes: cython.ulonglong[::1],
) -> cython.int:
    i: cython.Py_ssize_t = state[0]
    n: cython.Py_ssize_t = sub_start[i]
    pos: cython.Py_ssize_t
    end: cython.Py_ssize_t
    length: cython.longlong
    encoding: cython.int
    expected: cython.uint
    crc: cython.uint
    digest: cython.ulonglong
    while i < places.shape[0]:
        state[0] = i
        if cython.compiled and i + 2 < places.shape[0]:  # chunks of many blocks lie far from one another
            sg_prefetch(p + places[i + 2, 0])
        length, pos = _length(p, places[i, 0], places[i, 1])
        if pos == -2:
            return 21
        if pos < 0:
            state[1] = 32
            return 100
        end = pos + 1 + length
        if end + 4 > places[i, 1]:
            state[1] = end + 4 - places[i, 0]
            return 100
        encoding = p[pos]
        pos += 1
        expected = (
            (cython.cast(cython.uint, p[end]) << 24)
            | (cython.cast(cython.uint, p[end + 1]) << 16)
            | (cython.cast(cython.uint, p[end + 2]) << 8)
            | p[end + 3]
        )
        if encoding == 255:
            if crc32c_at(p, pos - 1, length + 1) != expected:
                return 23
            n = _slots(p, pos, end, wanted, n, subs, hashes)
            if n < 0:
                return 25
        else:
            crc, digest = crc32c_and_xxh64_at(p, pos, length)
            if crc != expected:
                return 23
            if not 1 <= encoding <= 3:
                state[1] = encoding
                return 24
            subs[n, 0] = 3
            subs[n, 1] = encoding - 1
            subs[n, 2] = pos
            subs[n, 3] = length
            hashes[n] = digest
            n += 1
        state[2] += length
        i += 1
        sub_start[i] = n
    state[0] = i
    return 0


def parse_chunks(arena, places, wanted, state, sub_start, subs, hashes):
    """Check and hash the chunks at `places` int64[m, 2] of (position, end of what was read).

    Bit a of `wanted` asks for aggregate a (`Aggr` of the StoreAPI) of aggregate chunks; other chunks have one, raw.
    `state` int64[3] holds (next chunk, detail, data bytes), zero to begin; `sub_start` int64[m + 1] begins with 0;
    `subs` int64[5 m, 4] gets (field of AggrChunk, encoding on the wire, position, length), `hashes` uint64[5 m].
    Returns a status: 0, 100 when chunk state[0] needs state[1] bytes from its position, or what is damaged.
    """
    buf: cython.const[cython.uchar][::1] = memoryview(arena if len(arena) else b"\0")
    where: cython.const[cython.longlong][:, ::1] = memoryview(places)
    progress: cython.longlong[::1] = memoryview(state)
    starts: cython.longlong[::1] = memoryview(sub_start)
    rows: cython.longlong[:, ::1] = memoryview(subs)
    digests: cython.ulonglong[::1] = memoryview(hashes)
    p: cython.pointer(cython.const[cython.uchar])
    mask: cython.int = wanted
    i: cython.Py_ssize_t
    m: cython.Py_ssize_t = where.shape[0]
    status: cython.int
    for i in range(m):
        if not 0 <= where[i, 0] <= where[i, 1] <= buf.shape[0]:
            raise ValueError("a chunk is outside the arena")
    if starts.shape[0] < m + 1 or rows.shape[0] < 5 * m or digests.shape[0] < 5 * m or not 0 <= progress[0] <= m:
        raise ValueError("the output is too small")
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        status = _parse(p, where, mask, progress, starts, rows, digests)
    return status


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _sub_of(
    subs: cython.const[cython.longlong][:, ::1], start: cython.Py_ssize_t, end: cython.Py_ssize_t, field: cython.int
) -> cython.Py_ssize_t:
    i: cython.Py_ssize_t
    for i in range(start, end):
        if subs[i, 0] == field:
            return i
    return -1


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _chunk_order(
    p: cython.pointer(cython.const[cython.uchar]),
    times: cython.const[cython.longlong][:, ::1],
    sub_start: cython.const[cython.longlong][::1],
    subs: cython.const[cython.longlong][:, ::1],
    a: cython.Py_ssize_t,
    b: cython.Py_ssize_t,
) -> cython.int:
    """StoreAPI 7.2: times, then per aggregate present first, smaller encoding, data bytes descending."""
    field: cython.int
    i: cython.Py_ssize_t
    j: cython.Py_ssize_t
    k: cython.Py_ssize_t
    n: cython.Py_ssize_t
    if times[a, 0] != times[b, 0]:
        return -1 if times[a, 0] < times[b, 0] else 1
    if times[a, 1] != times[b, 1]:
        return -1 if times[a, 1] < times[b, 1] else 1
    for field in range(3, 9):
        i = _sub_of(subs, sub_start[a], sub_start[a + 1], field)
        j = _sub_of(subs, sub_start[b], sub_start[b + 1], field)
        if i < 0 and j < 0:
            continue
        if i < 0 or j < 0:
            return -1 if j < 0 else 1
        if subs[i, 1] != subs[j, 1]:
            return -1 if subs[i, 1] < subs[j, 1] else 1
        n = subs[i, 3] if subs[i, 3] < subs[j, 3] else subs[j, 3]
        for k in range(n):
            if p[subs[i, 2] + k] != p[subs[j, 2] + k]:
                return -1 if p[subs[i, 2] + k] > p[subs[j, 2] + k] else 1
        if subs[i, 3] != subs[j, 3]:
            return -1 if subs[i, 3] > subs[j, 3] else 1
    return 0


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _new_hash(
    table: cython.ulonglong[:, ::1], mask: cython.ulonglong, stamp: cython.ulonglong, digest: cython.ulonglong
) -> cython.bint:
    """Record a hash for this series; False when it is there already."""
    at: cython.ulonglong = (digest ^ (digest >> 29)) & mask
    while table[at, 1] == stamp:
        if table[at, 0] == digest:
            return False
        at = (at + 1) & mask
    table[at, 0] = digest
    table[at, 1] = stamp
    return True


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _sort_group(
    p: cython.pointer(cython.const[cython.uchar]),
    times: cython.const[cython.longlong][:, ::1],
    sub_start: cython.const[cython.longlong][::1],
    subs: cython.const[cython.longlong][:, ::1],
    kept: cython.longlong[::1],
    spare: cython.longlong[::1],
    start: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
) -> cython.int:
    """Stable bottom-up merge sort of kept[start:end]; costs one pass when they are in order, as they mostly are."""
    i: cython.Py_ssize_t
    j: cython.Py_ssize_t
    k: cython.Py_ssize_t
    low: cython.Py_ssize_t
    middle: cython.Py_ssize_t
    high: cython.Py_ssize_t
    width: cython.Py_ssize_t = 1
    i = start + 1
    while i < end and _chunk_order(p, times, sub_start, subs, kept[i - 1], kept[i]) <= 0:
        i += 1
    if i >= end:
        return 0
    while width < end - start:
        low = start
        while low < end:
            middle = low + width if low + width < end else end
            high = low + 2 * width if low + 2 * width < end else end
            i = low
            j = middle
            for k in range(low, high):
                if j >= high or (i < middle and _chunk_order(p, times, sub_start, subs, kept[i], kept[j]) <= 0):
                    spare[k] = kept[i]
                    i += 1
                else:
                    spare[k] = kept[j]
                    j += 1
            low = high
        for k in range(start, end):
            kept[k] = spare[k]
        width *= 2
    return 0


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _fold(
    p: cython.pointer(cython.const[cython.uchar]),
    group_start: cython.const[cython.longlong][::1],
    single: cython.const[cython.longlong][::1],
    times: cython.const[cython.longlong][:, ::1],
    sub_start: cython.const[cython.longlong][::1],
    subs: cython.const[cython.longlong][:, ::1],
    hashes: cython.const[cython.ulonglong][::1],
    table: cython.ulonglong[:, ::1],
    kept: cython.longlong[::1],
    spare: cython.longlong[::1],
    kept_start: cython.longlong[::1],
) -> cython.Py_ssize_t:
    g: cython.Py_ssize_t
    i: cython.Py_ssize_t
    s: cython.Py_ssize_t
    n: cython.Py_ssize_t = 0
    step: cython.int
    field: cython.int
    mask: cython.ulonglong = table.shape[0] - 1
    for g in range(group_start.shape[0] - 1):
        kept_start[g] = n
        for i in range(group_start[g], group_start[g + 1]):
            if sub_start[i + 1] - sub_start[i] == 1:  # the chunks of raw blocks
                if _new_hash(table, mask, g + 1, hashes[sub_start[i]]):
                    kept[n] = i
                    n += 1
                continue
            for step in range(6):
                field = 3 + step
                if field == 5:
                    field = 7
                elif field == 7:
                    field = 5
                s = _sub_of(subs, sub_start[i], sub_start[i + 1], field)
                if s >= 0 and _new_hash(table, mask, g + 1, hashes[s]):
                    kept[n] = i
                    n += 1
                    break
        if n == kept_start[g]:
            for i in range(group_start[g], single[g]):  # no data at all: the first contributor as it is
                kept[n] = i
                n += 1
        else:
            _sort_group(p, times, sub_start, subs, kept, spare, kept_start[g], n)
    kept_start[group_start.shape[0] - 1] = n
    return n


def fold_chunks(arena, group_start, leaders, chunk_start, times, sub_start, subs, hashes):
    """Drop duplicate chunks of each series and order the rest (StoreAPI 7.2).

    `group_start` int64[g + 1] cuts the chunks by series, whose first contributor is row `leaders[g]` of the merged
    series, which `chunk_start` gives as many chunks; `times` int64[m, 2+] holds (mint, maxt); the rest as from
    `parse_chunks`. Returns the chunks that are kept, int64, and where those of each series begin, int64[g + 1].
    """
    buf: cython.const[cython.uchar][::1] = memoryview(arena if len(arena) else b"\0")
    groups: cython.const[cython.longlong][::1] = memoryview(group_start)
    rows: cython.const[cython.longlong][::1] = memoryview(leaders)
    row_start: cython.const[cython.longlong][::1] = memoryview(chunk_start)
    t: cython.const[cython.longlong][:, ::1] = memoryview(times)
    starts: cython.const[cython.longlong][::1] = memoryview(sub_start)
    sub_rows: cython.const[cython.longlong][:, ::1] = memoryview(subs)
    digests: cython.const[cython.ulonglong][::1] = memoryview(hashes)
    p: cython.pointer(cython.const[cython.uchar])
    g: cython.Py_ssize_t
    n: cython.Py_ssize_t = groups.shape[0] - 1
    m: cython.Py_ssize_t = groups[n]
    most: cython.Py_ssize_t = 0
    room: cython.Py_ssize_t = 2
    total: cython.Py_ssize_t
    if rows.shape[0] < n or t.shape[0] < m or starts.shape[0] < m + 1:
        raise ValueError("the arrays do not fit one another")
    singles = np.empty(n, np.int64)
    ones: cython.longlong[::1] = memoryview(singles)
    for g in range(n):
        if not 0 <= groups[g] <= groups[g + 1] or not 0 <= rows[g] < row_start.shape[0] - 1:
            raise ValueError("a series is outside the chunks")
        ones[g] = groups[g] + row_start[rows[g] + 1] - row_start[rows[g]]
        if not groups[g] <= ones[g] <= groups[g + 1]:
            raise ValueError("a series has fewer chunks than its first contributor")
        if groups[g + 1] - groups[g] > most:
            most = groups[g + 1] - groups[g]
    while room <= 2 * most:
        room *= 2
    kept, spare, kept_start = np.empty(m, np.int64), np.empty(m, np.int64), np.empty(n + 1, np.int64)
    seen: cython.ulonglong[:, ::1] = memoryview(np.zeros((room, 2), np.uint64))
    out: cython.longlong[::1] = memoryview(kept)
    other: cython.longlong[::1] = memoryview(spare)
    out_start: cython.longlong[::1] = memoryview(kept_start)
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    if m > 16384:
        with cython.nogil:
            total = _fold(p, groups, ones, t, starts, sub_rows, digests, seen, out, other, out_start)
    else:
        total = _fold(p, groups, ones, t, starts, sub_rows, digests, seen, out, other, out_start)
    return kept[:total], kept_start
