# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Walks the samples of chunks without keeping them: how many there are, and their times (TSDB chunk format, 6).

Queries never open a chunk; a verification does, to learn whether its bits make sense and its times are those that the
index tells. Positions are in bits from the start of the buffer. Where a helper returns a position, -1 stands for data
that ends too early and -2 for data that makes no sense.
"""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython


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
def _add(a: cython.longlong, b: cython.longlong) -> cython.longlong:
    """Sum modulo 2^64."""
    if cython.compiled:
        return cython.cast(cython.longlong, cython.cast(cython.ulonglong, a) + cython.cast(cython.ulonglong, b))
    return _signed(a + b)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _bits(p: cython.pointer(cython.const[cython.uchar]), pos: cython.longlong, count: cython.int) -> cython.ulonglong:
    """The next 1 to 64 bits; the caller has checked that they are there."""
    value: cython.ulonglong
    at: cython.Py_ssize_t = pos >> 3
    room: cython.int = 8 - cython.cast(cython.int, pos & 7)
    if count <= room:
        return (p[at] >> (room - count)) & ((1 << count) - 1)
    value = p[at] & ((1 << room) - 1)
    count -= room
    at += 1
    while count >= 8:
        value = (value << 8) | p[at]
        count -= 8
        at += 1
    if count > 0:
        value = (value << count) | (p[at] >> (8 - count))
    return value


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _ones(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.longlong, end: cython.longlong, most: cython.int
) -> tuple[cython.int, cython.longlong]:
    """How many 1 bits follow, up to `most`; a 0 before that is passed too."""
    count: cython.int = 0
    while count < most:
        if pos >= end:
            return 0, -1
        pos += 1
        if not (p[(pos - 1) >> 3] >> (7 - ((pos - 1) & 7))) & 1:
            break
        count += 1
    return count, pos


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _uvarint(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.longlong, end: cython.longlong
) -> tuple[cython.ulonglong, cython.longlong]:
    """A varint; all of a chunk begin at a byte."""
    value: cython.ulonglong = 0
    shift: cython.int = 0
    byte: cython.ulonglong
    while shift < 64:
        if pos + 8 > end:
            return 0, -1
        byte = p[pos >> 3]
        pos += 8
        if shift == 63 and byte > 1:
            return 0, -2
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos
        shift += 7
    return 0, -2


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
def _payload(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.longlong, end: cython.longlong, bits: cython.int
) -> tuple[cython.longlong, cython.longlong]:
    """A signed number of 0 to 64 bits: -2^(bits-1) + 1 to 2^(bits-1), in two's complement when it has 64."""
    value: cython.longlong
    if pos + bits > end:
        return 0, -1
    if bits == 0:
        return 0, pos
    if bits == 64:
        return _signed(_bits(p, pos, 64)), pos + 64
    value = _bits(p, pos, bits)
    if value > cython.cast(cython.longlong, 1) << (bits - 1):
        value -= cython.cast(cython.longlong, 1) << bits
    return value, pos + bits


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _width(ones: cython.int) -> cython.int:
    """Bits of a histogram's variable-width integer by its prefix."""
    if ones < 5:
        return 3 * ones
    if ones == 5:
        return 18
    if ones == 6:
        return 25
    return 56 if ones == 7 else 64


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _vbi(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.longlong, end: cython.longlong
) -> tuple[cython.longlong, cython.longlong]:
    """A signed integer of a histogram."""
    ones: cython.int
    ones, pos = _ones(p, pos, end, 8)
    if pos < 0:
        return 0, pos
    return _payload(p, pos, end, _width(ones))


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _vbu(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.longlong, end: cython.longlong
) -> tuple[cython.ulonglong, cython.longlong]:
    """An unsigned integer of a histogram."""
    ones: cython.int
    bits: cython.int
    ones, pos = _ones(p, pos, end, 8)
    if pos < 0:
        return 0, pos
    bits = _width(ones)
    if pos + bits > end:
        return 0, -1
    if bits == 0:
        return 0, pos
    return _bits(p, pos, bits), pos + bits


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _xor(
    p: cython.pointer(cython.const[cython.uchar]),
    pos: cython.longlong,
    end: cython.longlong,
    value: cython.ulonglong,
    window: cython.int,
) -> tuple[cython.ulonglong, cython.int, cython.longlong]:
    """The next float's bits after `value`; `window` is trailing << 8 | significant bits, 0 before there is one."""
    ones: cython.int
    leading: cython.int
    significant: cython.int
    ones, pos = _ones(p, pos, end, 2)
    if pos < 0 or ones == 0:
        return value, window, pos
    if ones == 2:
        if pos + 11 > end:
            return 0, 0, -1
        leading = _bits(p, pos, 5)
        significant = _bits(p, pos + 5, 6)
        pos += 11
        if significant == 0:
            significant = 64
        if leading + significant > 64:
            return 0, 0, -2
        window = (64 - leading - significant) << 8 | significant
    elif window == 0:
        return 0, 0, -2
    significant = window & 255
    if pos + significant > end:
        return 0, 0, -1
    return value ^ (_bits(p, pos, significant) << (window >> 8)), window, pos + significant


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _scan_xor(
    p: cython.pointer(cython.const[cython.uchar]),
    pos: cython.longlong,
    end: cython.longlong,
    count: cython.int,
    out: cython.longlong[:, ::1],
    row: cython.Py_ssize_t,
) -> cython.longlong:
    """Float samples behind the count; the position behind the last one."""
    i: cython.int
    ones: cython.int
    bits: cython.int
    window: cython.int = 0
    value: cython.ulonglong = 0
    number: cython.ulonglong
    change: cython.longlong
    time: cython.longlong = 0
    delta: cython.longlong = 0
    for i in range(count):
        if i < 2:
            number, pos = _uvarint(p, pos, end)
            if pos < 0:
                return pos
            if i == 0:
                time = _zigzag(number)
                if pos + 64 > end:
                    return -1
                out[row, 1] = 1
                out[row, 2] = time
                out[row, 3] = time
                pos += 64
                continue
            delta = _signed(number)
        else:
            ones, pos = _ones(p, pos, end, 4)
            if pos < 0:
                return pos
            bits = 64
            if ones < 4:
                bits = 0 if ones == 0 else 11 + 3 * ones
            change, pos = _payload(p, pos, end, bits)
            if pos < 0:
                return pos
            delta = _add(delta, change)
        value, window, pos = _xor(p, pos, end, value, window)
        if pos < 0:
            return pos
        time = _add(time, delta)
        if time <= out[row, 3]:
            out[row, 4] += 1
        out[row, 3] = time
        out[row, 1] = i + 1
    return pos


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _spans(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.longlong, end: cython.longlong
) -> tuple[cython.longlong, cython.longlong]:
    """How many buckets the spans of one side have."""
    buckets: cython.longlong = 0
    number: cython.ulonglong
    _offset: cython.longlong
    left: cython.ulonglong
    left, pos = _vbu(p, pos, end)
    if pos >= 0 and left > cython.cast(cython.ulonglong, end - pos):
        return 0, -2
    while pos >= 0 and left > 0:
        number, pos = _vbu(p, pos, end)
        if pos < 0:
            break
        _offset, pos = _vbi(p, pos, end)
        if pos < 0:
            break
        if number > cython.cast(cython.ulonglong, end - pos):
            return 0, -2
        buckets += number
        if buckets > end - pos:
            return 0, -2
        left -= 1
    return buckets, pos


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _layout(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.longlong, end: cython.longlong
) -> tuple[cython.longlong, cython.longlong]:
    """How many buckets each sample has, from what comes before the first one."""
    schema: cython.longlong
    positive: cython.longlong
    negative: cython.longlong
    number: cython.ulonglong
    left: cython.ulonglong = 0
    if pos + 8 > end:
        return 0, -1
    pos += 72 if _bits(p, pos, 8) == 255 else 8  # the zero threshold
    if pos > end:
        return 0, -1
    schema, pos = _vbi(p, pos, end)
    if pos >= 0 and schema != -53 and not -9 <= schema <= 52:
        return 0, -2
    positive = 0
    negative = 0
    if pos >= 0:
        positive, pos = _spans(p, pos, end)
    if pos >= 0:
        negative, pos = _spans(p, pos, end)
    if pos >= 0 and schema == -53:
        left, pos = _vbu(p, pos, end)
        if pos >= 0 and left > cython.cast(cython.ulonglong, end - pos):
            return 0, -2
    while pos >= 0 and left > 0:
        number, pos = _vbu(p, pos, end)
        if pos >= 0 and number == 0:
            pos = pos + 64 if pos + 64 <= end else -1
        left -= 1
    if pos >= 0 and positive + negative > end - pos:
        return 0, -2
    return positive + negative, pos


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _skip_integers(
    p: cython.pointer(cython.const[cython.uchar]),
    pos: cython.longlong,
    end: cython.longlong,
    count: cython.longlong,
) -> cython.longlong:
    ones: cython.int
    while count > 0:
        ones, pos = _ones(p, pos, end, 8)
        if pos < 0:
            return pos
        pos += _width(ones)
        if pos > end:
            return -1
        count -= 1
    return pos


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _skip_floats(
    p: cython.pointer(cython.const[cython.uchar]),
    pos: cython.longlong,
    end: cython.longlong,
    windows: cython.longlong[::1],
    begin: cython.Py_ssize_t,
    stop: cython.Py_ssize_t,
    whole: cython.bint,
) -> cython.longlong:
    """Counters of one sample: 64 bits each in the first, else XORs, each with a window of its own."""
    i: cython.Py_ssize_t
    _value: cython.ulonglong
    window: cython.int
    if whole:
        for i in range(begin, stop):
            windows[i] = 0
        return pos + 64 * (stop - begin) if pos + 64 * (stop - begin) <= end else -1
    for i in range(begin, stop):
        _value, window, pos = _xor(p, pos, end, 0, cython.cast(cython.int, windows[i]))
        if pos < 0:
            return pos
        windows[i] = window
    return pos


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _scan_histogram(
    p: cython.pointer(cython.const[cython.uchar]),
    pos: cython.longlong,
    end: cython.longlong,
    count: cython.int,
    floats: cython.bint,
    windows: cython.longlong[::1],
    out: cython.longlong[:, ::1],
    row: cython.Py_ssize_t,
) -> cython.longlong:
    """Histogram samples behind the count; the position behind the last one."""
    i: cython.int
    j: cython.Py_ssize_t
    window: cython.int = 0
    total: cython.ulonglong = 0
    stale: cython.ulonglong = 0x7FF0000000000002
    buckets: cython.longlong
    change: cython.longlong
    time: cython.longlong = 0
    delta: cython.longlong = 0
    pos += 8  # flags
    if pos > end:
        return -1
    buckets, pos = _layout(p, pos, end)
    if pos < 0:
        return pos
    if floats:
        if buckets + 2 > windows.shape[0]:
            return -2
        for j in range(buckets + 2):
            windows[j] = 0
    for i in range(count):
        change, pos = _vbi(p, pos, end)
        if pos < 0:
            return pos
        if i == 0:
            time = change
            out[row, 2] = time
        else:
            delta = _add(delta, change)
            time = _add(time, delta)
            if time <= out[row, 3]:
                out[row, 4] += 1
        out[row, 3] = time
        if floats:
            pos = _skip_floats(p, pos, end, windows, 0, 2, i == 0)
        else:
            pos = _skip_integers(p, pos, end, 2)
        if pos < 0:
            return pos
        if i == 0:
            if pos + 64 > end:
                return -1
            total = _bits(p, pos, 64)
            pos += 64
        else:
            total, window, pos = _xor(p, pos, end, total, window)
            if pos < 0:
                return pos
        if total != stale:  # a stale sample has no buckets
            if floats:
                pos = _skip_floats(p, pos, end, windows, 2, buckets + 2, i == 0)
            else:
                pos = _skip_integers(p, pos, end, buckets)
            if pos < 0:
                return pos
        out[row, 1] = i + 1
    return pos


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _scan(
    p: cython.pointer(cython.const[cython.uchar]),
    subs: cython.const[cython.longlong][:, ::1],
    windows: cython.longlong[::1],
    out: cython.longlong[:, ::1],
) -> cython.int:
    i: cython.Py_ssize_t
    k: cython.int
    count: cython.int
    pos: cython.longlong
    end: cython.longlong
    for i in range(subs.shape[0]):
        for k in range(6):
            out[i, k] = 0
        pos = subs[i, 2] * 8
        end = pos + subs[i, 3] * 8
        if pos + 16 > end:
            out[i, 0] = 27
            continue
        count = _bits(p, pos, 16)
        pos += 16
        if count > 0 and subs[i, 1] == 0:
            pos = _scan_xor(p, pos, end, count, out, i)
        elif count > 0:
            pos = _scan_histogram(p, pos, end, count, subs[i, 1] == 2, windows, out, i)
        if pos < 0:
            out[i, 0] = 27 if pos == -1 else 28
        elif count > 0:
            out[i, 5] = end - pos
    return 0


def scan_samples(arena, subs, windows, out):
    """Walk the samples of the sub-chunks `subs` int64[n, 4] of (any, encoding on the wire, position, length in bytes).

    Encodings are 0 XOR, 1 histogram, 2 float histogram. `out` int64[n, 6] gets (status, samples, first time, last
    time, samples that are not later than the one before, bits behind the last sample). The status is 0, 27 for data
    that ends too early or 28 for data that makes no sense; then samples and times are those up to there. `windows`
    int64[w] is scratch space: float histograms of more than w - 2 buckets count as senseless, and the bytes of the
    longest sub-chunk + 2 are enough.
    """
    buf: cython.const[cython.uchar][::1] = memoryview(arena if len(arena) else b"\0")
    rows: cython.const[cython.longlong][:, ::1] = memoryview(subs)
    scratch: cython.longlong[::1] = memoryview(windows)
    found: cython.longlong[:, ::1] = memoryview(out)
    p: cython.pointer(cython.const[cython.uchar])
    i: cython.Py_ssize_t
    if rows.shape[1] != 4 or found.shape[0] < rows.shape[0] or found.shape[1] != 6:
        raise ValueError("the output is too small")
    for i in range(rows.shape[0]):
        if rows[i, 2] < 0 or rows[i, 3] < 0 or rows[i, 2] + rows[i, 3] > buf.shape[0] or not 0 <= rows[i, 1] <= 2:
            raise ValueError("a sub-chunk is outside the arena")
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        _scan(p, rows, scratch, found)
