# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Series entries of the index into columns: label ordinals, chunk times, chunk places (TSDB index, series section).

Entries are read from an arena of fetched stretches of the index. Every varint, count and ref is checked against the
entry, every entry against its checksum.
"""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

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
def _uvarint(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t, end: cython.Py_ssize_t
) -> tuple[cython.ulonglong, cython.Py_ssize_t]:
    """Value and the position behind it, which is -1 for a varint that is cut off or longer than 64 bits."""
    value: cython.ulonglong = 0
    shift: cython.int = 0
    byte: cython.ulonglong
    if pos < end and p[pos] < 0x80:
        return p[pos], pos + 1
    while pos < end and shift < 64:
        byte = p[pos]
        pos += 1
        if shift == 63 and byte > 1:
            return 0, -1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos
        shift += 7
    return 0, -1


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _signed(value: cython.ulonglong) -> cython.longlong:
    """The same 64 bits as a signed number; uncompiled, also cut to 64 bits first."""
    if cython.compiled:
        return cython.cast(cython.longlong, value)
    value &= 0xFFFFFFFFFFFFFFFF
    return value - 0x10000000000000000 if value >> 63 else value


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _zigzag(value: cython.ulonglong) -> cython.longlong:
    return -_signed(value >> 1) - 1 if value & 1 else _signed(value >> 1)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _add(a: cython.longlong, b: cython.longlong) -> cython.longlong:
    """Sum modulo 2^64: deltas of out-of-order blocks rely on it."""
    if cython.compiled:
        return cython.cast(cython.longlong, cython.cast(cython.ulonglong, a) + cython.cast(cython.ulonglong, b))
    return _signed(a + b)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _locate(
    refs: cython.const[cython.uint][::1],
    scale: cython.longlong,
    runs: cython.const[cython.longlong][:, ::1],
    out: cython.longlong[:, ::1],
) -> cython.Py_ssize_t:
    i: cython.Py_ssize_t
    r: cython.Py_ssize_t = 0
    offset: cython.longlong
    for i in range(refs.shape[0]):
        offset = refs[i] * scale
        while r < runs.shape[0] and offset >= runs[r, 1]:
            r += 1
        if r == runs.shape[0] or offset < runs[r, 0]:
            return i
        out[i, 0] = runs[r, 2] + offset - runs[r, 0]
        out[i, 1] = runs[r, 2] + runs[r, 1] - runs[r, 0]
    return -1


def locate(refs, scale, runs, out):
    """Where series entries lie in an arena. Returns the index of the first ref that no run holds, or -1.

    `refs` ascending uint32 (times `scale` the file offset), `runs` int64[r, 3] of (file start, file end, place in the
    arena), ascending; `out` int64[n, 2] gets (position, end of the run).
    """
    wanted: cython.const[cython.uint][::1] = memoryview(refs)
    parts: cython.const[cython.longlong][:, ::1] = memoryview(runs)
    places: cython.longlong[:, ::1] = memoryview(out)
    factor: cython.longlong = scale
    bad: cython.Py_ssize_t
    if places.shape[0] < wanted.shape[0] or places.shape[1] != 2 or parts.shape[1] != 3:
        raise ValueError("the arrays do not fit one another")
    with cython.nogil:
        bad = _locate(wanted, factor, parts, places)
    return bad


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _sort_names(refs: cython.uint[::1], start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.int:
    """Blocks of Prometheus 2.8 and older hold labels out of order: insertion sort of (name, value) pairs by name."""
    i: cython.Py_ssize_t
    j: cython.Py_ssize_t
    name: cython.uint
    value: cython.uint
    for i in range(start + 1, end):
        name = refs[2 * i]
        value = refs[2 * i + 1]
        j = i
        while j > start and refs[2 * j - 2] > name:
            refs[2 * j] = refs[2 * j - 2]
            refs[2 * j + 1] = refs[2 * j - 1]
            j -= 1
        refs[2 * j] = name
        refs[2 * j + 1] = value
    return 0


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _entries_size(
    p: cython.pointer(cython.const[cython.uchar]), places: cython.const[cython.longlong][:, ::1]
) -> cython.longlong:
    i: cython.Py_ssize_t
    start: cython.Py_ssize_t
    length: cython.ulonglong
    total: cython.longlong = 0
    for i in range(places.shape[0]):
        length, start = _uvarint(p, places[i, 0], places[i, 1])
        if start >= 0 and length <= cython.cast(cython.ulonglong, places[i, 1] - start):
            total += length
    return total


def entries_size(arena, places):
    """Bytes of the entries at `places` (as for `decode_series`) that are whole; bounds what they can hold."""
    buf: cython.const[cython.uchar][::1] = memoryview(arena)
    where: cython.const[cython.longlong][:, ::1] = memoryview(places)
    p: cython.pointer(cython.const[cython.uchar])
    i: cython.Py_ssize_t
    total: cython.longlong
    for i in range(where.shape[0]):
        if not 0 <= where[i, 0] <= where[i, 1] <= buf.shape[0]:
            raise ValueError("an entry is outside the arena")
    if buf.shape[0] == 0:
        return 0
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        total = _entries_size(p, where)
    return total


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _decode(
    p: cython.pointer(cython.const[cython.uchar]),
    places: cython.const[cython.longlong][:, ::1],
    tmin: cython.longlong,
    tmax: cython.longlong,
    want_chunks: cython.bint,
    symbols: cython.ulonglong,
    state: cython.longlong[::1],
    rows: cython.longlong[::1],
    label_start: cython.longlong[::1],
    refs: cython.uint[::1],
    chunk_start: cython.longlong[::1],
    chunks: cython.longlong[:, ::1],
) -> cython.int:
    """Decode from entry state[0] on; state is (entry, rows, labels, chunks, bytes, position of an error)."""
    i: cython.Py_ssize_t = state[0]
    n: cython.Py_ssize_t = state[1]
    labels: cython.Py_ssize_t = state[2]
    taken: cython.Py_ssize_t = state[3]
    first_label: cython.Py_ssize_t
    first_chunk: cython.Py_ssize_t
    pos: cython.Py_ssize_t
    end: cython.Py_ssize_t
    start: cython.Py_ssize_t
    k: cython.Py_ssize_t
    count: cython.ulonglong
    value: cython.ulonglong
    last_name: cython.longlong
    mint: cython.longlong
    maxt: cython.longlong
    ref: cython.longlong
    previous: cython.longlong
    sorted_names: cython.bint
    selected: cython.bint
    previous_selected: cython.bint
    low32: cython.longlong = 0xFFFFFFFF
    while i < places.shape[0]:
        state[5] = places[i, 0]
        value, start = _uvarint(p, places[i, 0], places[i, 1])
        if start < 0:
            # A varint cut off by the end of what was fetched is short, any other is damaged.
            return 100 if places[i, 1] - places[i, 0] < 10 else 12
        if value > cython.cast(cython.ulonglong, places[i, 1] - start) or value + 4 > cython.cast(
            cython.ulonglong, places[i, 1] - start
        ):
            return 100
        end = start + value
        if crc32c_at(p, start, value) != (
            (cython.cast(cython.uint, p[end]) << 24)
            | (cython.cast(cython.uint, p[end + 1]) << 16)
            | (cython.cast(cython.uint, p[end + 2]) << 8)
            | p[end + 3]
        ):
            return 13
        count, pos = _uvarint(p, start, end)
        if pos < 0 or count > cython.cast(cython.ulonglong, (end - pos) // 2):
            return 14
        if count > cython.cast(cython.ulonglong, refs.shape[0] // 2 - labels):
            return 14  # more than `entries_size` said: entries overlap
        if count == 0:
            return 18
        first_label = labels
        sorted_names = True
        last_name = -1
        for _ in range(count):
            value, pos = _uvarint(p, pos, end)
            if pos < 0 or value >= symbols:
                return 16
            if cython.cast(cython.longlong, value) <= last_name:
                sorted_names = False
            last_name = value
            refs[2 * labels] = value
            value, pos = _uvarint(p, pos, end)
            if pos < 0 or value >= symbols:
                return 16
            refs[2 * labels + 1] = value
            labels += 1
        count, pos = _uvarint(p, pos, end)
        if pos < 0 or count > cython.cast(cython.ulonglong, (end - pos) // 3):
            return 15
        if want_chunks and count > cython.cast(cython.ulonglong, chunks.shape[0] - taken):
            return 15  # likewise
        first_chunk = taken
        mint = 0
        maxt = 0
        ref = 0
        selected = False
        previous_selected = False
        for k in range(count):
            value, pos = _uvarint(p, pos, end)
            if pos < 0:
                return 1
            mint = _zigzag(value) if k == 0 else _add(maxt, _signed(value))
            value, pos = _uvarint(p, pos, end)
            if pos < 0:
                return 1
            maxt = _add(mint, _signed(value))
            value, pos = _uvarint(p, pos, end)
            if pos < 0:
                return 1
            previous = ref
            ref = _signed(value) if k == 0 else _add(ref, _zigzag(value))
            if ref < 0 or (ref & low32) < 8:
                return 20
            if previous_selected and want_chunks and (previous >> 32) == (ref >> 32) and previous < ref:
                chunks[taken - 1, 3] = ref & low32
            previous_selected = False
            if maxt >= tmin and mint <= tmax:
                selected = True
                if want_chunks:
                    previous_selected = True
                    chunks[taken, 0] = mint
                    chunks[taken, 1] = maxt
                    chunks[taken, 2] = ref
                    chunks[taken, 3] = 0
                    taken += 1
        if pos != end:
            return 17
        state[4] += end - start
        if selected:
            if not sorted_names:
                _sort_names(refs, first_label, labels)
            rows[n] = i
            n += 1
            label_start[n] = labels
            chunk_start[n] = taken
        else:
            labels = first_label
            taken = first_chunk
        i += 1
        state[0] = i
        state[1] = n
        state[2] = labels
        state[3] = taken
    return 0


def decode_series(
    arena, places, tmin, tmax, want_chunks, symbols, state, rows, label_start, label_refs, chunk_start, chunks
):
    """Decode entries at `places` int64[n, 2] (see `locate`), keeping series with a chunk that meets [tmin, tmax].

    `state` int64[6] holds (next entry, rows, labels, chunks, bytes decoded, position of the entry at work), zero to
    begin; a call goes on where the last one stopped. Row r came from entry `rows[r]`, has the (name, value) ordinals
    `label_refs[2 * label_start[r]:2 * label_start[r + 1]]` and `chunks[chunk_start[r]:chunk_start[r + 1]]`, each (mint,
    maxt, ref, offset of the next chunk in the same segment or 0); without `want_chunks` there are none. `symbols`
    bounds the ordinals. With `entries_size` bytes in all, there are
    at most half as many labels and a third as many chunks, and the arrays must have room for them.
    Returns a status: 0, 100 when the entry at work goes past the end of its run, or what is damaged.
    """
    buf: cython.const[cython.uchar][::1] = memoryview(arena)
    where: cython.const[cython.longlong][:, ::1] = memoryview(places)
    progress: cython.longlong[::1] = memoryview(state)
    kept: cython.longlong[::1] = memoryview(rows)
    lstart: cython.longlong[::1] = memoryview(label_start)
    refs: cython.uint[::1] = memoryview(label_refs)
    cstart: cython.longlong[::1] = memoryview(chunk_start)
    metas: cython.longlong[:, ::1] = memoryview(chunks)
    p: cython.pointer(cython.const[cython.uchar])
    low: cython.longlong = tmin
    high: cython.longlong = tmax
    want: cython.bint = want_chunks
    limit: cython.ulonglong = symbols
    i: cython.Py_ssize_t
    n: cython.Py_ssize_t = where.shape[0]
    status: cython.int
    previous: cython.longlong = -1
    for i in range(n):
        if not previous < where[i, 0] <= where[i, 1] <= buf.shape[0]:
            raise ValueError("an entry is outside the arena")
        previous = where[i, 0]
    if kept.shape[0] < n or lstart.shape[0] <= n or cstart.shape[0] <= n or progress.shape[0] < 6:
        raise ValueError("the output is too small")
    if metas.shape[1] != 4:
        raise ValueError("the arrays do not fit one another")
    if n == 0 or buf.shape[0] == 0:
        return 0 if n == 0 else 100
    lstart[0] = 0
    cstart[0] = 0
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        status = _decode(p, where, low, high, want, limit, progress, kept, lstart, refs, cstart, metas)
    return status


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _column(
    label_start: cython.const[cython.longlong][::1],
    refs: cython.const[cython.uint][::1],
    name: cython.uint,
    out: cython.longlong[::1],
) -> cython.int:
    i: cython.Py_ssize_t
    k: cython.Py_ssize_t
    for i in range(label_start.shape[0] - 1):
        out[i] = -1
        for k in range(label_start[i], label_start[i + 1]):
            if refs[2 * k] == name:
                out[i] = refs[2 * k + 1]
                break
    return 0


def label_column(label_start, label_refs, name, out):
    """The value ordinal of label `name` (an ordinal) in every series, -1 where it has none; `out` int64[n]."""
    starts: cython.const[cython.longlong][::1] = memoryview(label_start)
    refs: cython.const[cython.uint][::1] = memoryview(label_refs)
    column: cython.longlong[::1] = memoryview(out)
    wanted: cython.uint = name
    if column.shape[0] < starts.shape[0] - 1 or 2 * starts[starts.shape[0] - 1] > refs.shape[0]:
        raise ValueError("the arrays do not fit one another")
    with cython.nogil:
        _column(starts, refs, wanted, column)
