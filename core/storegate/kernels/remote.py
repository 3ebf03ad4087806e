# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""From the engine's `SeriesResponse` frames to the messages of Prometheus' remote read.

Labels have the same bytes in both, so they are copied; chunk data is copied unopened. A frame becomes two tables:
`series` (begin and end of the labels, first chunk) and `chunks` (min time, max time, field of AggrChunk, encoding as
stored, position, length, 0 for data in the frame or 1 for re-encoded data).
"""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize
    from cython.cimports.storegate.kernels.bits import sg_put_varint
    from cython.cimports.storegate.kernels.hashing import crc32c_at
    from cython.cimports.storegate.kernels.wire import sg_copy, sg_varint_size
else:
    from storegate.kernels.bits import sg_put_varint
    from storegate.kernels.hashing import crc32c as _crc32c
    from storegate.kernels.wire import sg_copy, sg_varint_size

    def crc32c_at(p, pos, length):
        return _crc32c(p, pos, pos + length)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _unsigned(v: cython.longlong) -> cython.ulonglong:
    return cython.cast(cython.ulonglong, v) if cython.compiled else v & 0xFFFFFFFFFFFFFFFF


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _signed(v: cython.ulonglong) -> cython.longlong:
    return cython.cast(cython.longlong, v) if cython.compiled else v - ((v >> 63) << 64)


# --- reading ---


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _varint(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t, end: cython.Py_ssize_t
) -> tuple[cython.ulonglong, cython.Py_ssize_t]:
    """A varint and the position behind it, -1 when it is cut off or too long."""
    value: cython.ulonglong = 0
    shift: cython.int = 0
    byte: cython.ulonglong
    while pos < end and shift < 64:
        byte = p[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value if cython.compiled else value & 0xFFFFFFFFFFFFFFFF), pos
        shift += 7
    return 0, -1


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _field(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t, end: cython.Py_ssize_t
) -> tuple[cython.ulonglong, cython.ulonglong, cython.Py_ssize_t]:
    """(tag, value, position): for a varint behind it, for bytes (value is their length) at their first one."""
    tag: cython.ulonglong
    value: cython.ulonglong
    tag, pos = _varint(p, pos, end)
    if pos < 0:
        return 0, 0, -1
    if tag & 7 != 0 and tag & 7 != 2:
        return 0, 0, -1
    value, pos = _varint(p, pos, end)
    if pos < 0 or (tag & 7 == 2 and value > _unsigned(end - pos)):
        return 0, 0, -1
    return tag, value, pos


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _scan_chunk(
    p: cython.pointer(cython.const[cython.uchar]),
    pos: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    m: cython.Py_ssize_t,
    chunks: cython.longlong[:, ::1],
) -> cython.Py_ssize_t:
    """The rows of one AggrChunk; the new number of rows, -1 when malformed. Without room they are only counted."""
    low: cython.longlong = 0
    high: cython.longlong = 0
    first: cython.Py_ssize_t = m
    room: cython.Py_ssize_t = chunks.shape[0]
    stop: cython.Py_ssize_t
    tag: cython.ulonglong
    value: cython.ulonglong
    field: cython.longlong
    encoding: cython.longlong
    at: cython.longlong
    length: cython.longlong
    while pos < end:
        tag, value, pos = _field(p, pos, end)
        if pos < 0:
            return -1
        if tag == 0x08:
            low = _signed(value)
        elif tag == 0x10:
            high = _signed(value)
        elif tag & 7 == 2 and 0x1A <= tag <= 0x42:
            field = cython.cast(cython.longlong, tag >> 3)
            stop = pos + cython.cast(cython.Py_ssize_t, value)
            encoding = 1
            at = pos
            length = 0
            while pos < stop:
                tag, value, pos = _field(p, pos, stop)
                if pos < 0:
                    return -1
                if tag == 0x08:
                    encoding = cython.cast(cython.longlong, value & 0xFF) + 1
                elif tag == 0x12:
                    at = pos
                    length = cython.cast(cython.longlong, value)
                if tag & 7 == 2:
                    pos += cython.cast(cython.Py_ssize_t, value)
            if m < room:
                chunks[m, 2] = field
                chunks[m, 3] = encoding
                chunks[m, 4] = at
                chunks[m, 5] = length
                chunks[m, 6] = 0
            m += 1
            continue
        if tag & 7 == 2:
            pos += cython.cast(cython.Py_ssize_t, value)
    while first < m and first < room:
        chunks[first, 0] = low
        chunks[first, 1] = high
        first += 1
    return m


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _scan_series(
    p: cython.pointer(cython.const[cython.uchar]),
    pos: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    g: cython.Py_ssize_t,
    m: cython.Py_ssize_t,
    series: cython.longlong[:, ::1],
    chunks: cython.longlong[:, ::1],
) -> cython.Py_ssize_t:
    """The row of one Series and those of its chunks; the new number of chunks, -1 when malformed."""
    labels: cython.Py_ssize_t = pos
    labels_end: cython.Py_ssize_t = pos
    first: cython.Py_ssize_t = m
    begin: cython.Py_ssize_t
    tag: cython.ulonglong
    value: cython.ulonglong
    while pos < end:
        begin = pos
        tag, value, pos = _field(p, pos, end)
        if pos < 0 or tag & 7 != 2:
            return -1
        if tag == 0x0A:
            if begin != labels_end:  # labels come in one piece, before the chunks
                return -1
            labels_end = pos + cython.cast(cython.Py_ssize_t, value)
        elif tag == 0x12:
            m = _scan_chunk(p, pos, pos + cython.cast(cython.Py_ssize_t, value), m, chunks)
            if m < 0:
                return -1
        pos += cython.cast(cython.Py_ssize_t, value)
    if g < series.shape[0]:
        series[g, 0] = labels
        series[g, 1] = labels_end
        series[g, 2] = first
    return m


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _scan(
    p: cython.pointer(cython.const[cython.uchar]),
    end: cython.Py_ssize_t,
    series: cython.longlong[:, ::1],
    chunks: cython.longlong[:, ::1],
) -> tuple[cython.Py_ssize_t, cython.Py_ssize_t]:
    pos: cython.Py_ssize_t = 0
    stop: cython.Py_ssize_t
    g: cython.Py_ssize_t = 0
    m: cython.Py_ssize_t = 0
    tag: cython.ulonglong
    value: cython.ulonglong
    while pos < end:
        tag, value, pos = _field(p, pos, end)
        if pos < 0 or tag & 7 != 2:
            return -1, -1
        stop = pos + cython.cast(cython.Py_ssize_t, value)
        if tag == 0x0A:
            m = _scan_series(p, pos, stop, g, m, series, chunks)
            g += 1
        elif tag == 0x22:
            while pos < stop:
                tag, value, pos = _field(p, pos, stop)
                if pos < 0 or tag & 7 != 2:
                    return -1, -1
                if tag == 0x0A:
                    m = _scan_series(p, pos, pos + cython.cast(cython.Py_ssize_t, value), g, m, series, chunks)
                    g += 1
                if m < 0:
                    return -1, -1
                pos += cython.cast(cython.Py_ssize_t, value)
        if m < 0:
            return -1, -1
        pos = stop
    return g, m


def scan_frame(frame, series, chunks):
    """The tables of a frame with a series or a batch of them: `series` int64[g, 3], `chunks` int64[m, 7].

    Returns (series, chunks) as counted, so that a first call with empty tables tells how large they must be; rows for
    which there is no room are not written. (-1, -1): this is no such frame.
    """
    buf: cython.const[cython.uchar][::1] = memoryview(frame if len(frame) else b"\0")
    rows: cython.longlong[:, ::1] = memoryview(series)
    subs: cython.longlong[:, ::1] = memoryview(chunks)
    n: cython.Py_ssize_t = len(frame)
    g: cython.Py_ssize_t
    m: cython.Py_ssize_t
    p: cython.pointer(cython.const[cython.uchar])
    if rows.shape[1] != 3 or subs.shape[1] != 7:
        raise ValueError("the tables have other columns")
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        g, m = _scan(p, n, rows, subs)
    return g, m


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _tangles(
    first: cython.const[cython.longlong][::1],
    chunks: cython.const[cython.longlong][:, ::1],
    whole: cython.bint,
    groups: cython.longlong[::1],
) -> cython.Py_ssize_t:
    g: cython.Py_ssize_t
    i: cython.Py_ssize_t
    begin: cython.Py_ssize_t
    high: cython.longlong
    odd: cython.bint
    all_of_it: cython.bint
    n: cython.Py_ssize_t = 0
    for g in range(first.shape[0] - 1):
        all_of_it = False
        if whole:
            for i in range(first[g], first[g + 1]):
                all_of_it = all_of_it or chunks[i, 2] != 3
        i = first[g]
        while i < first[g + 1]:
            begin = i
            high = chunks[i, 1]
            odd = all_of_it or chunks[i, 2] != 3 or high < chunks[i, 0]
            i += 1
            while i < first[g + 1] and (all_of_it or chunks[i, 0] <= high):
                if chunks[i, 1] > high:
                    high = chunks[i, 1]
                odd = odd or chunks[i, 2] != 3
                i += 1
            if odd or i - begin > 1:
                while begin < i:
                    groups[begin] = n
                    begin += 1
                n += 1
            else:
                groups[begin] = -1
    return n


def find_tangles(first, chunks, whole, groups):
    """Find chunks that cannot pass as they are: those that overlap others of their series, and aggregates.

    `first` int64[g + 1] cuts the chunks by series. `groups` int64[m] gets -1 for a chunk that is sound, else the number
    of the run of chunks that belong together; with `whole` a series that has aggregates is one run. Returns how many
    runs there are.
    """
    cuts: cython.const[cython.longlong][::1] = memoryview(first)
    rows: cython.const[cython.longlong][:, ::1] = memoryview(chunks)
    out: cython.longlong[::1] = memoryview(groups)
    every: cython.bint = whole
    g: cython.Py_ssize_t
    n: cython.Py_ssize_t
    if cuts[0] != 0 or cuts[cuts.shape[0] - 1] > rows.shape[0] or out.shape[0] < rows.shape[0] or rows.shape[1] != 7:
        raise ValueError("the arrays do not fit one another")
    for g in range(cuts.shape[0] - 1):
        if cuts[g] > cuts[g + 1]:
            raise ValueError("the cuts do not ascend")
    with cython.nogil:
        n = _tangles(cuts, rows, every, out)
    return n


# --- writing chunks ---


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _chunk_size(chunks: cython.const[cython.longlong][:, ::1], i: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Bytes of one Chunk message."""
    n: cython.Py_ssize_t = 2
    if chunks[i, 0] != 0:
        n += 1 + sg_varint_size(_unsigned(chunks[i, 0]))
    if chunks[i, 1] != 0:
        n += 1 + sg_varint_size(_unsigned(chunks[i, 1]))
    if chunks[i, 5] != 0:
        n += 1 + sg_varint_size(chunks[i, 5]) + chunks[i, 5]
    return n


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _chunked(
    o: cython.pointer(cython.uchar),
    write: cython.bint,
    p: cython.pointer(cython.const[cython.uchar]),
    q: cython.pointer(cython.const[cython.uchar]),
    series: cython.const[cython.longlong][:, ::1],
    first: cython.const[cython.longlong][::1],
    chunks: cython.const[cython.longlong][:, ::1],
    query: cython.longlong,
    limit: cython.longlong,
) -> cython.Py_ssize_t:
    """Write all frames, or only measure them; how many bytes they are."""
    g: cython.Py_ssize_t
    i: cython.Py_ssize_t
    k: cython.Py_ssize_t
    begin: cython.Py_ssize_t
    labels: cython.Py_ssize_t
    body: cython.Py_ssize_t
    inner: cython.Py_ssize_t
    size: cython.Py_ssize_t
    pos: cython.Py_ssize_t = 0
    crc: cython.uint
    tail: cython.Py_ssize_t = 1 + sg_varint_size(_unsigned(query)) if query != 0 else 0
    for g in range(first.shape[0] - 1):
        labels = series[g, 1] - series[g, 0]
        i = first[g]
        while True:
            begin = i
            inner = labels
            while i < first[g + 1]:
                size = _chunk_size(chunks, i)
                size += 1 + sg_varint_size(size)
                if i > begin and inner + size > limit:
                    break
                inner += size
                i += 1
            body = 1 + sg_varint_size(inner) + inner + tail
            if not write:
                pos += sg_varint_size(body) + 4 + body
            else:
                pos = sg_put_varint(o, pos, body) + 4
                k = pos
                o[pos] = 0x0A
                pos = sg_put_varint(o, pos + 1, inner)
                pos = sg_copy(o, pos, p, series[g, 0], labels)
                pos = _put_chunks(o, pos, p, q, chunks, begin, i)
                if tail:
                    o[pos] = 0x10
                    pos = sg_put_varint(o, pos + 1, _unsigned(query))
                crc = crc32c_at(o, k, pos - k)
                o[k - 4] = (crc >> 24) & 0xFF
                o[k - 3] = (crc >> 16) & 0xFF
                o[k - 2] = (crc >> 8) & 0xFF
                o[k - 1] = crc & 0xFF
            if i >= first[g + 1]:
                break
    return pos


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _put_chunks(
    o: cython.pointer(cython.uchar),
    pos: cython.Py_ssize_t,
    p: cython.pointer(cython.const[cython.uchar]),
    q: cython.pointer(cython.const[cython.uchar]),
    chunks: cython.const[cython.longlong][:, ::1],
    begin: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
) -> cython.Py_ssize_t:
    i: cython.Py_ssize_t
    for i in range(begin, end):
        o[pos] = 0x12
        pos = sg_put_varint(o, pos + 1, _chunk_size(chunks, i))
        if chunks[i, 0] != 0:
            o[pos] = 0x08
            pos = sg_put_varint(o, pos + 1, _unsigned(chunks[i, 0]))
        if chunks[i, 1] != 0:
            o[pos] = 0x10
            pos = sg_put_varint(o, pos + 1, _unsigned(chunks[i, 1]))
        o[pos] = 0x18
        o[pos + 1] = chunks[i, 3]
        pos += 2
        if chunks[i, 5] == 0:
            continue
        o[pos] = 0x22
        pos = sg_put_varint(o, pos + 1, chunks[i, 5])
        if chunks[i, 6] == 0:
            pos = sg_copy(o, pos, p, chunks[i, 4], chunks[i, 5])
        else:
            pos = sg_copy(o, pos, q, chunks[i, 4], chunks[i, 5])
    return pos


def write_chunked(frame, arena, series, first, chunks, query, limit):
    """`ChunkedReadResponse` messages, one series each, behind their length and CRC32C, as one bytes object.

    `first` int64[g + 1] cuts `chunks` by series; `arena` holds re-encoded data. A series of more than `limit` bytes is
    split between its chunks; one without chunks is written with its labels alone.
    """
    fb: cython.const[cython.uchar][::1] = memoryview(frame if len(frame) else b"\0")
    ab: cython.const[cython.uchar][::1] = memoryview(arena if len(arena) else b"\0")
    rows: cython.const[cython.longlong][:, ::1] = memoryview(series)
    cuts: cython.const[cython.longlong][::1] = memoryview(first)
    table: cython.const[cython.longlong][:, ::1] = memoryview(chunks)
    o: cython.pointer(cython.uchar)
    p: cython.pointer(cython.const[cython.uchar])
    q: cython.pointer(cython.const[cython.uchar])
    index: cython.longlong = query
    most: cython.longlong = limit
    size: cython.Py_ssize_t
    done: cython.Py_ssize_t
    _check_tables(len(frame), len(arena), rows, cuts, table)
    if cython.compiled:
        p = cython.address(fb[0])
        q = cython.address(ab[0])
        o = cython.NULL
    else:
        p = fb
        q = ab
        o = None
    with cython.nogil:
        size = _chunked(o, False, p, q, rows, cuts, table, index, most)
    if cython.compiled:
        result = PyBytes_FromStringAndSize(cython.NULL, size)
        o = cython.cast(cython.pointer(cython.uchar), PyBytes_AS_STRING(result))
    else:
        result = bytearray(size)
        o = result
    with cython.nogil:
        done = _chunked(o, True, p, q, rows, cuts, table, index, most)
    if done != size:
        raise AssertionError("the frames were measured wrongly")
    return result if cython.compiled else bytes(result)


@cython.cfunc
def _check_tables(
    frame: cython.Py_ssize_t,
    arena: cython.Py_ssize_t,
    series: cython.const[cython.longlong][:, ::1],
    first: cython.const[cython.longlong][::1],
    chunks: cython.const[cython.longlong][:, ::1],
):
    """Raise ValueError for rows that point outside their buffers."""
    g: cython.Py_ssize_t
    i: cython.Py_ssize_t
    if first[0] != 0 or first[first.shape[0] - 1] > chunks.shape[0] or series.shape[0] < first.shape[0] - 1:
        raise ValueError("the tables do not fit one another")
    if series.shape[1] != 3 or chunks.shape[1] != 7:
        raise ValueError("the tables have other columns")
    for g in range(first.shape[0] - 1):
        if first[g] > first[g + 1] or not 0 <= series[g, 0] <= series[g, 1] <= frame:
            raise ValueError("a series is outside the frame")
    for i in range(chunks.shape[0]):
        if chunks[i, 4] < 0 or chunks[i, 5] < 0 or not 1 <= chunks[i, 3] <= 3:
            raise ValueError("a chunk is malformed")
        if chunks[i, 4] + chunks[i, 5] > (arena if chunks[i, 6] else frame):
            raise ValueError("a chunk is outside its buffer")
