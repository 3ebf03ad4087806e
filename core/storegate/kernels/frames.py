# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Ready `SeriesResponse` frames, as canonical protobuf, from encoded labels and parsed chunks.

Field numbers are those of the StoreAPI: SeriesResponse.series 1 and .batch 4, SeriesBatch.series 1, Series.labels 1
and .chunks 2, AggrChunk.min_time 1, .max_time 2 and raw..counter 3-8, Chunk.type 1, .data 2 and .hash 3. Zero values
are left out. A window is measured once, then written piece by piece, each straight into its own bytes object.
"""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize
    from cython.cimports.storegate.kernels.wire import sg_copy, sg_varint_size
else:
    from storegate.kernels.wire import sg_copy, sg_varint_size


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _bits(value: cython.longlong) -> cython.ulonglong:
    """A signed number as the 64 bits that protobuf writes."""
    return cython.cast(cython.ulonglong, value) if cython.compiled else value & 0xFFFFFFFFFFFFFFFF


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _put(o: cython.pointer(cython.uchar), pos: cython.Py_ssize_t, value: cython.ulonglong) -> cython.Py_ssize_t:
    while value >= 0x80:
        o[pos] = (value & 0x7F) | 0x80
        value >>= 7
        pos += 1
    o[pos] = value
    return pos + 1


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _sub_size(
    subs: cython.const[cython.longlong][:, ::1], hashes: cython.const[cython.ulonglong][::1], s: cython.Py_ssize_t
) -> cython.Py_ssize_t:
    """Bytes of one Chunk message."""
    n: cython.Py_ssize_t = 0
    if subs[s, 1] != 0:
        n += 2
    if subs[s, 3] != 0:
        n += 1 + sg_varint_size(subs[s, 3]) + subs[s, 3]
    if hashes[s] != 0:
        n += 1 + sg_varint_size(hashes[s])
    return n


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _measure(
    label_start: cython.const[cython.longlong][::1],
    leaders: cython.const[cython.longlong][::1],
    kept_start: cython.const[cython.longlong][::1],
    kept: cython.const[cython.longlong][::1],
    times: cython.const[cython.longlong][:, ::1],
    sub_start: cython.const[cython.longlong][::1],
    subs: cython.const[cython.longlong][:, ::1],
    hashes: cython.const[cython.ulonglong][::1],
    chunk_size: cython.longlong[::1],
    size: cython.longlong[::1],
) -> cython.longlong:
    g: cython.Py_ssize_t
    i: cython.Py_ssize_t
    s: cython.Py_ssize_t
    c: cython.longlong
    n: cython.longlong
    total: cython.longlong = 0
    for g in range(leaders.shape[0]):
        n = label_start[leaders[g] + 1] - label_start[leaders[g]]
        for i in range(kept_start[g], kept_start[g + 1]):
            c = 0
            if times[kept[i], 0] != 0:
                c += 1 + sg_varint_size(_bits(times[kept[i], 0]))
            if times[kept[i], 1] != 0:
                c += 1 + sg_varint_size(_bits(times[kept[i], 1]))
            for s in range(sub_start[kept[i]], sub_start[kept[i] + 1]):
                size[g] = _sub_size(subs, hashes, s)
                c += 1 + sg_varint_size(size[g]) + size[g]
            chunk_size[i] = c
            n += 1 + sg_varint_size(c) + c
        size[g] = n
        total += n
    return total


def measure_series(label_start, leaders, kept_start, kept, times, sub_start, subs, hashes, chunk_size, size):
    """Bytes of the `Series` messages of a window (`size` int64[g]) and of their AggrChunks (`chunk_size` int64[m]).

    `leaders` int64[g] are the label sets of `label_start`; chunks as from `parse_chunks` and `fold_chunks`. Returns
    the sum.
    """
    ls: cython.const[cython.longlong][::1] = memoryview(label_start)
    le: cython.const[cython.longlong][::1] = memoryview(leaders)
    ks: cython.const[cython.longlong][::1] = memoryview(kept_start)
    ke: cython.const[cython.longlong][::1] = memoryview(kept)
    t: cython.const[cython.longlong][:, ::1] = memoryview(times)
    ss: cython.const[cython.longlong][::1] = memoryview(sub_start)
    su: cython.const[cython.longlong][:, ::1] = memoryview(subs)
    h: cython.const[cython.ulonglong][::1] = memoryview(hashes)
    cs: cython.longlong[::1] = memoryview(chunk_size)
    sz: cython.longlong[::1] = memoryview(size)
    n: cython.Py_ssize_t = le.shape[0]
    total: cython.longlong
    if ks.shape[0] < n + 1 or sz.shape[0] < n or cs.shape[0] < ks[n] or ke.shape[0] < ks[n]:
        raise ValueError("the arrays do not fit one another")
    if n > 16384:
        with cython.nogil:
            total = _measure(ls, le, ks, ke, t, ss, su, h, cs, sz)
    else:
        total = _measure(ls, le, ks, ke, t, ss, su, h, cs, sz)
    return total


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _write(
    o: cython.pointer(cython.uchar),
    pos: cython.Py_ssize_t,
    tag: cython.int,
    begin: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    q: cython.pointer(cython.const[cython.uchar]),
    p: cython.pointer(cython.const[cython.uchar]),
    label_start: cython.const[cython.longlong][::1],
    leaders: cython.const[cython.longlong][::1],
    kept_start: cython.const[cython.longlong][::1],
    kept: cython.const[cython.longlong][::1],
    times: cython.const[cython.longlong][:, ::1],
    sub_start: cython.const[cython.longlong][::1],
    subs: cython.const[cython.longlong][:, ::1],
    hashes: cython.const[cython.ulonglong][::1],
    chunk_size: cython.const[cython.longlong][::1],
    size: cython.const[cython.longlong][::1],
) -> cython.Py_ssize_t:
    """Write series begin..end, each behind `tag` and its length; returns the position behind them."""
    g: cython.Py_ssize_t
    i: cython.Py_ssize_t
    s: cython.Py_ssize_t
    c: cython.Py_ssize_t
    at: cython.Py_ssize_t
    for g in range(begin, end):
        o[pos] = tag
        pos = _put(o, pos + 1, size[g])
        at = label_start[leaders[g]]
        pos = sg_copy(o, pos, q, at, label_start[leaders[g] + 1] - at)
        for i in range(kept_start[g], kept_start[g + 1]):
            c = kept[i]
            o[pos] = 0x12
            pos = _put(o, pos + 1, chunk_size[i])
            if times[c, 0] != 0:
                o[pos] = 0x08
                pos = _put(o, pos + 1, _bits(times[c, 0]))
            if times[c, 1] != 0:
                o[pos] = 0x10
                pos = _put(o, pos + 1, _bits(times[c, 1]))
            for s in range(sub_start[c], sub_start[c + 1]):
                o[pos] = (subs[s, 0] << 3) | 2
                pos = _put(o, pos + 1, _sub_size(subs, hashes, s))
                if subs[s, 1] != 0:
                    o[pos] = 0x08
                    o[pos + 1] = subs[s, 1]
                    pos += 2
                if subs[s, 3] != 0:
                    o[pos] = 0x12
                    pos = _put(o, pos + 1, subs[s, 3])
                    pos = sg_copy(o, pos, p, subs[s, 2], subs[s, 3])
                if hashes[s] != 0:
                    o[pos] = 0x18
                    pos = _put(o, pos + 1, hashes[s])
    return pos


def write_frames(
    begin,
    end,
    per_frame,
    headed,
    labels,
    arena,
    label_start,
    leaders,
    kept_start,
    kept,
    times,
    sub_start,
    subs,
    hashes,
    chunk_size,
    size,
):
    """A list of bytes objects that hold the series `begin` to `end` of a window.

    `per_frame` 0 gives one `series` frame each, otherwise `batch` frames of that many series; without `headed` the
    batches are bare (SeriesBatch without its frame header, to be joined with others). Sizes as from `measure_series`.
    """
    lb: cython.const[cython.uchar][::1] = memoryview(labels if len(labels) else b"\0")
    ab: cython.const[cython.uchar][::1] = memoryview(arena if len(arena) else b"\0")
    ls: cython.const[cython.longlong][::1] = memoryview(label_start)
    le: cython.const[cython.longlong][::1] = memoryview(leaders)
    ks: cython.const[cython.longlong][::1] = memoryview(kept_start)
    ke: cython.const[cython.longlong][::1] = memoryview(kept)
    t: cython.const[cython.longlong][:, ::1] = memoryview(times)
    ss: cython.const[cython.longlong][::1] = memoryview(sub_start)
    su: cython.const[cython.longlong][:, ::1] = memoryview(subs)
    h: cython.const[cython.ulonglong][::1] = memoryview(hashes)
    cs: cython.const[cython.longlong][::1] = memoryview(chunk_size)
    sz: cython.const[cython.longlong][::1] = memoryview(size)
    o: cython.pointer(cython.uchar)
    q: cython.pointer(cython.const[cython.uchar])
    p: cython.pointer(cython.const[cython.uchar])
    last: cython.Py_ssize_t = end
    step: cython.Py_ssize_t = per_frame if per_frame > 0 else 1
    batch: cython.bint = per_frame > 0
    head: cython.bint = headed and batch
    g: cython.Py_ssize_t = begin
    k: cython.Py_ssize_t
    stop: cython.Py_ssize_t
    pos: cython.Py_ssize_t
    n: cython.Py_ssize_t
    body: cython.Py_ssize_t
    if not 0 <= g <= last <= le.shape[0] or sz.shape[0] < last or ks.shape[0] < last + 1:
        raise ValueError("the series are outside the window")
    if cython.compiled:
        q = cython.address(lb[0])
        p = cython.address(ab[0])
    else:
        q = lb
        p = ab
    frames = []
    while g < last:
        stop = g + step if g + step < last else last
        body = 0
        for k in range(g, stop):
            body += 1 + sg_varint_size(sz[k]) + sz[k]
        n = body + (1 + sg_varint_size(body) if head else 0)
        if cython.compiled:
            frame = PyBytes_FromStringAndSize(cython.NULL, n)
            o = cython.cast(cython.pointer(cython.uchar), PyBytes_AS_STRING(frame))
        else:
            frame = bytearray(n)
            o = frame
        pos = 0
        if head:
            o[0] = 0x22
            pos = _put(o, 1, body)
        if n > 262144:  # below, handing the GIL over costs more than the copy
            with cython.nogil:
                pos = _write(o, pos, 0x0A, g, stop, q, p, ls, le, ks, ke, t, ss, su, h, cs, sz)
        else:
            pos = _write(o, pos, 0x0A, g, stop, q, p, ls, le, ks, ke, t, ss, su, h, cs, sz)
        if pos != n:
            raise AssertionError("a frame was measured wrongly")
        frames.append(frame if cython.compiled else bytes(frame))
        g = stop
    return frames
