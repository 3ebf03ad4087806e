# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The two tables of an index-header: symbols, and postings offsets (TSDB index v2, 4.3 and 4.7 of the format).

Positions are relative to `base`, the place in the buffer where the section's body begins, and fit 32 bits because a
section is shorter than 4 GiB. Scans check everything once; look-ups rely on it, but still never leave the buffer.
Results start with a status of `storegate.kernels.explain`, 0 when all is well, and the position it is about.
"""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

if cython.compiled:
    from cython.cimports.storegate.kernels.wire import sg_compare
else:
    from storegate.kernels.wire import sg_compare


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
@cython.nogil
@cython.exceptval(check=False)
def _scan_symbols(
    p: cython.pointer(cython.const[cython.uchar]),
    base: cython.Py_ssize_t,
    start: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    ordered: cython.bint,
    out: cython.uint[::1],
) -> tuple[cython.int, cython.Py_ssize_t]:
    i: cython.Py_ssize_t
    pos: cython.Py_ssize_t = start
    at: cython.Py_ssize_t
    length: cython.ulonglong
    previous: cython.Py_ssize_t = -1
    previous_length: cython.Py_ssize_t = 0
    for i in range(out.shape[0]):
        at = pos
        length, pos = _uvarint(p, pos, end)
        if pos < 0:
            return 1, at
        if length > cython.cast(cython.ulonglong, end - pos):
            return 3, at
        if ordered and previous >= 0 and sg_compare(p, previous, previous_length, p, pos, length) >= 0:
            return 4, at
        previous = pos
        previous_length = length
        out[i] = at - base
        pos += length
    if pos != end:
        return 5, pos
    return 0, pos


def scan_symbols(data, base, start, end, ordered, out):
    """Fill `out` (uint32[count]) with the position of every symbol from `start` on. Returns (status, position)."""
    buf: cython.const[cython.uchar][::1] = memoryview(data)
    positions: cython.uint[::1] = memoryview(out)
    p: cython.pointer(cython.const[cython.uchar])
    b: cython.Py_ssize_t = base
    s: cython.Py_ssize_t = start
    e: cython.Py_ssize_t = end
    strict: cython.bint = ordered
    status: cython.int
    where: cython.Py_ssize_t
    if not 0 <= b <= s <= e <= buf.shape[0]:
        raise ValueError("the section is outside the buffer")
    if s == e:
        return (0 if positions.shape[0] == 0 else 1), start
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        status, where = _scan_symbols(p, b, s, e, strict, positions)
    return status, where


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _scan_postings_table(
    p: cython.pointer(cython.const[cython.uchar]),
    base: cython.Py_ssize_t,
    start: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    count: cython.Py_ssize_t,
    sampling: cython.Py_ssize_t,
    low: cython.longlong,
    high: cython.longlong,
    names: cython.longlong[:, ::1],
    samples: cython.uint[::1],
) -> tuple[cython.int, cython.Py_ssize_t, cython.Py_ssize_t, cython.Py_ssize_t]:
    """One pass over all entries; a name's row is (first entry, entries, first sample, last entry, end of last list)."""
    pos: cython.Py_ssize_t = start
    entry: cython.Py_ssize_t
    length: cython.ulonglong
    offset: cython.ulonglong
    name_at: cython.Py_ssize_t
    value_at: cython.Py_ssize_t
    value_len: cython.Py_ssize_t
    last_name: cython.Py_ssize_t = -1
    last_name_len: cython.Py_ssize_t = 0
    last_value: cython.Py_ssize_t = 0
    last_value_len: cython.Py_ssize_t = 0
    last_entry: cython.Py_ssize_t = 0
    last_offset: cython.longlong = -1
    n: cython.Py_ssize_t = 0
    s: cython.Py_ssize_t = 0
    order: cython.int
    for _ in range(count):
        entry = pos
        length, pos = _uvarint(p, pos, end)
        if pos < 0:
            return 1, entry, n, s
        if length != 2:
            return 6, entry, n, s
        length, pos = _uvarint(p, pos, end)
        if pos < 0 or length > cython.cast(cython.ulonglong, end - pos):
            return 3, entry, n, s
        name_at = pos
        pos += length
        order = 1
        if last_name >= 0:
            order = sg_compare(p, name_at, length, p, last_name, last_name_len)
            if order < 0:
                return 7, entry, n, s
        last_name = name_at
        last_name_len = length
        length, pos = _uvarint(p, pos, end)
        if pos < 0 or length > cython.cast(cython.ulonglong, end - pos):
            return 3, entry, n, s
        value_at = pos
        value_len = length
        pos += length
        offset, pos = _uvarint(p, pos, end)
        if pos < 0:
            return 1, entry, n, s
        if offset < cython.cast(cython.ulonglong, low) or offset > cython.cast(cython.ulonglong, high):
            return 8, entry, n, s
        if cython.cast(cython.longlong, offset) <= last_offset:
            return 9, entry, n, s
        if high - cython.cast(cython.longlong, offset) < 12 or (
            last_offset >= 0 and cython.cast(cython.longlong, offset) - last_offset < 12
        ):
            return 10, entry, n, s  # the smallest list: length, count and checksum
        if order == 0:
            if sg_compare(p, value_at, value_len, p, last_value, last_value_len) <= 0:
                return 7, entry, n, s
            names[n - 1, 1] += 1
            if (names[n - 1, 1] - 1) % sampling == 0:
                samples[s] = entry - base
                s += 1
        else:
            if n > 0:
                if samples[s - 1] != last_entry - base:
                    samples[s] = last_entry - base
                    s += 1
                names[n - 1, 3] = last_entry - base
                names[n - 1, 4] = offset - 4
            names[n, 0] = entry - base
            names[n, 1] = 1
            names[n, 2] = s
            samples[s] = entry - base
            s += 1
            n += 1
        last_value = value_at
        last_value_len = value_len
        last_entry = entry
        last_offset = offset
    if n > 0:
        if samples[s - 1] != last_entry - base:
            samples[s] = last_entry - base
            s += 1
        names[n - 1, 3] = last_entry - base
        names[n - 1, 4] = high - 4
    if pos != end:
        return 5, pos, n, s
    return 0, pos, n, s


def scan_postings_table(data, base, start, end, count, sampling, low, high, names, samples):
    """Check the table and find every name and every `sampling`-th entry of a name (and its last).

    `names` is int64[count, 5], `samples` uint32[count]; `low` and `high` bound the list offsets, `high` ends the last
    list. Returns (status, position, names found, samples found).
    """
    buf: cython.const[cython.uchar][::1] = memoryview(data)
    rows: cython.longlong[:, ::1] = memoryview(names)
    marks: cython.uint[::1] = memoryview(samples)
    p: cython.pointer(cython.const[cython.uchar])
    b: cython.Py_ssize_t = base
    first: cython.Py_ssize_t = start
    last: cython.Py_ssize_t = end
    n: cython.Py_ssize_t = count
    step: cython.Py_ssize_t = sampling
    lo: cython.longlong = low
    hi: cython.longlong = high
    status: cython.int
    where: cython.Py_ssize_t
    found: cython.Py_ssize_t
    sampled: cython.Py_ssize_t
    if not 0 <= b <= first <= last <= buf.shape[0] or step < 1 or not 0 <= lo <= hi:
        raise ValueError("the section is outside the buffer")
    if n < 0 or rows.shape[0] < n or rows.shape[1] != 5 or marks.shape[0] < n:
        raise ValueError("the output is too small")
    if first == last:
        return (0 if n == 0 else 1), start, 0, 0
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        status, where, found, sampled = _scan_postings_table(p, b, first, last, n, step, lo, hi, rows, marks)
    return status, where, found, sampled


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _value_at(
    p: cython.pointer(cython.const[cython.uchar]),
    entry: cython.Py_ssize_t,
    skip: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
) -> tuple[cython.Py_ssize_t, cython.Py_ssize_t]:
    """Position and length of an entry's value; the position is -1 when it leaves the section."""
    length: cython.ulonglong
    pos: cython.Py_ssize_t
    length, pos = _uvarint(p, entry + skip, end)
    if pos < 0 or length > cython.cast(cython.ulonglong, end - pos):
        return -1, 0
    return pos, length


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _find_lists(
    p: cython.pointer(cython.const[cython.uchar]),
    base: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    skip: cython.Py_ssize_t,
    samples: cython.uint[::1],
    last_end: cython.longlong,
    v: cython.pointer(cython.const[cython.uchar]),
    bounds: cython.longlong[::1],
    out: cython.longlong[:, ::1],
) -> cython.int:
    k: cython.Py_ssize_t
    i: cython.Py_ssize_t
    j: cython.Py_ssize_t
    m: cython.Py_ssize_t
    w: cython.Py_ssize_t
    w_len: cython.Py_ssize_t
    entry: cython.Py_ssize_t
    at: cython.Py_ssize_t
    length: cython.Py_ssize_t
    offset: cython.ulonglong
    order: cython.int
    last: cython.Py_ssize_t = base + samples[samples.shape[0] - 1]
    for k in range(out.shape[0]):
        out[k, 0] = -1
        out[k, 1] = -1
        w = bounds[k]
        w_len = bounds[k + 1] - w
        i = 0  # the last sample whose value is not after the wanted one lies in [i, j)
        j = samples.shape[0]
        while j - i > 1:
            m = (i + j) // 2
            at, length = _value_at(p, base + samples[m], skip, end)
            if at < 0:
                return 3
            if sg_compare(p, at, length, v, w, w_len) <= 0:
                i = m
            else:
                j = m
        entry = base + samples[i]
        while True:
            at, length = _value_at(p, entry, skip, end)
            if at < 0:
                return 3
            order = sg_compare(p, at, length, v, w, w_len)
            if order > 0 or (order < 0 and entry == last):
                break
            offset, at = _uvarint(p, at + length, end)
            if at < 0:
                return 1
            if order < 0:
                entry = at
                continue
            out[k, 0] = offset + 4
            if entry == last:
                out[k, 1] = last_end
                break
            at, length = _value_at(p, at, skip, end)
            if at < 0:
                return 3
            offset, at = _uvarint(p, at + length, end)
            if at < 0:
                return 1
            out[k, 1] = offset - 4
            break
    return 0


def find_lists(data, base, end, skip, samples, last_end, values, bounds, out):
    """Postings ranges `[count field, checksum)` in the index for values of one name, (-1, -1) where there is none.

    `skip` is the length of the part of an entry before its value, `samples` the name's uint32 sample positions,
    `values` the wanted values end to end with `bounds` int64[n + 1], `out` int64[n, 2]. Returns a status.
    """
    buf: cython.const[cython.uchar][::1] = memoryview(data)
    wanted: cython.const[cython.uchar][::1] = memoryview(values if len(values) else b"\0")
    marks: cython.uint[::1] = memoryview(samples)
    cuts: cython.longlong[::1] = memoryview(bounds)
    result: cython.longlong[:, ::1] = memoryview(out)
    p: cython.pointer(cython.const[cython.uchar])
    v: cython.pointer(cython.const[cython.uchar])
    b: cython.Py_ssize_t = base
    e: cython.Py_ssize_t = end
    s: cython.Py_ssize_t = skip
    le: cython.longlong = last_end
    status: cython.int
    if not 0 <= b <= e <= buf.shape[0] or marks.shape[0] == 0 or s < 0:
        raise ValueError("the section is outside the buffer")
    if cuts.shape[0] != result.shape[0] + 1 or result.shape[1] != 2 or cuts[cuts.shape[0] - 1] > wanted.shape[0]:
        raise ValueError("the wanted values do not fit their bounds")
    if cython.compiled:
        p = cython.address(buf[0])
        v = cython.address(wanted[0])
    else:
        p = buf
        v = wanted
    with cython.nogil:
        status = _find_lists(p, b, e, s, marks, le, v, cuts, result)
    return status


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _list_values(
    p: cython.pointer(cython.const[cython.uchar]),
    base: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    entry: cython.Py_ssize_t,
    skip: cython.Py_ssize_t,
    values: cython.longlong[:, ::1],
    offsets: cython.longlong[::1],
) -> tuple[cython.int, cython.longlong]:
    i: cython.Py_ssize_t
    at: cython.Py_ssize_t
    length: cython.Py_ssize_t
    offset: cython.ulonglong
    total: cython.longlong = 0
    for i in range(values.shape[0]):
        at, length = _value_at(p, entry, skip, end)
        if at < 0:
            return 3, entry
        values[i, 0] = at
        values[i, 1] = length
        total += length
        offset, entry = _uvarint(p, at + length, end)
        if entry < 0:
            return 1, at
        offsets[i] = offset + 4
    return 0, total


def list_values(data, base, end, first, skip, values, offsets):
    """All values of one name: `values` int64[n, 2] gets (position in data, length), `offsets` int64[n] list starts.

    Returns (status, total length of the values in bytes).
    """
    buf: cython.const[cython.uchar][::1] = memoryview(data)
    spans: cython.longlong[:, ::1] = memoryview(values)
    starts: cython.longlong[::1] = memoryview(offsets)
    p: cython.pointer(cython.const[cython.uchar])
    b: cython.Py_ssize_t = base
    e: cython.Py_ssize_t = end
    f: cython.Py_ssize_t = base + first
    s: cython.Py_ssize_t = skip
    status: cython.int
    total: cython.longlong
    if not 0 <= b <= f <= e <= buf.shape[0] or s < 0 or starts.shape[0] < spans.shape[0] or spans.shape[1] != 2:
        raise ValueError("the section is outside the buffer")
    if spans.shape[0] == 0:
        return 0, 0
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        status, total = _list_values(p, b, e, f, s, spans, starts)
    return status, total


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _join_values(
    p: cython.pointer(cython.const[cython.uchar]),
    values: cython.longlong[:, ::1],
    o: cython.pointer(cython.uchar),
    starts: cython.longlong[::1],
) -> cython.int:
    """Returns 1 when a value holds one of the marks itself, so that the joined text cannot be searched."""
    i: cython.Py_ssize_t
    k: cython.Py_ssize_t
    at: cython.Py_ssize_t
    pos: cython.Py_ssize_t = 0
    byte: cython.uchar
    marked: cython.int = 0
    for i in range(values.shape[0]):
        starts[i] = pos
        o[pos] = 0
        pos += 1
        at = values[i, 0]
        for k in range(values[i, 1]):
            byte = p[at + k]
            if byte < 2:
                marked = 1
            o[pos + k] = byte
        pos += values[i, 1]
        o[pos] = 1
        o[pos + 1] = 0xFF
        pos += 2
    return marked


def join_values(data, values, out, starts):
    """Copy values into `out` as 00 value 01 FF each, for one regex pass over all of them.

    FF is in no UTF-8 text, so that no match can cross it. `values` as from `list_values`, `out` uint8[total + 3 n],
    `starts` int64[n]. Returns whether a value holds 00 or 01 itself.
    """
    buf: cython.const[cython.uchar][::1] = memoryview(data)
    spans: cython.longlong[:, ::1] = memoryview(values)
    target: cython.uchar[::1] = memoryview(out)
    firsts: cython.longlong[::1] = memoryview(starts)
    p: cython.pointer(cython.const[cython.uchar])
    o: cython.pointer(cython.uchar)
    i: cython.Py_ssize_t
    need: cython.longlong = 0
    marked: cython.int
    if spans.shape[0] == 0:
        return False
    for i in range(spans.shape[0]):
        if spans[i, 0] < 0 or spans[i, 1] < 0 or spans[i, 0] + spans[i, 1] > buf.shape[0]:
            raise ValueError("a value is outside the buffer")
        need += spans[i, 1] + 3
    if target.shape[0] < need or firsts.shape[0] < spans.shape[0]:
        raise ValueError("the output is too small")
    if cython.compiled:
        p = cython.address(buf[0])
        o = cython.address(target[0])
    else:
        p = buf
        o = target
    with cython.nogil:
        marked = _join_values(p, spans, o, firsts)
    return marked != 0
