# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Samples of XOR, HISTOGRAM and FLOAT_HISTOGRAM chunks, as columns.

A sample is a time (ms), a row (which chunk it came from) and a value. The value of a float is its 64 bits; that of a
native histogram is a position in `numbers`, where count, zero count, sum and buckets lie: integers, or bits of floats.
A stale histogram has no buckets there. What the histograms of a chunk share is its layout, a run of `layouts`:

    0 schema  1 bits of the zero threshold  2, 3 numbers of positive and negative spans  4 number of custom bounds
    5, 6 numbers of positive and negative buckets  7 whether they are gauges  8 bits of the chunk before its samples
    9.. (offset, length) of the positive, then of the negative spans, then bits of the custom bounds
"""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

if cython.compiled:
    from cython.cimports.storegate.kernels.bits import sg_as_bits, sg_leading_ones, sg_peek
else:
    from storegate.kernels.bits import sg_as_bits, sg_leading_ones, sg_peek


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _stale() -> cython.ulonglong:
    """The NaN that marks the end of a series."""
    mark: cython.ulonglong = 0x7FF0000000000002
    return mark


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _signed(v: cython.ulonglong) -> cython.longlong:
    return cython.cast(cython.longlong, v) if cython.compiled else v - ((v >> 63) << 64)


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
def _sum(a: cython.longlong, b: cython.longlong) -> cython.longlong:
    """a + b in 64 bits that wrap around."""
    if cython.compiled:
        return cython.cast(cython.longlong, cython.cast(cython.ulonglong, a) + cython.cast(cython.ulonglong, b))
    return _signed((a + b) & 0xFFFFFFFFFFFFFFFF)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _bits(
    p: cython.pointer(cython.const[cython.uchar]), end: cython.Py_ssize_t, at: cython.longlong, n: cython.int
) -> cython.ulonglong:
    """1 to 64 bits from bit `at` on; zeros past byte `end`."""
    return sg_peek(p, end, at) >> (64 - n)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _payload(v: cython.ulonglong, n: cython.int) -> cython.longlong:
    """The signed number of n bits: -2^(n-1) + 1 to 2^(n-1), unlike two's complement."""
    number: cython.longlong
    if n == 64:
        return _signed(v)
    number = cython.cast(cython.longlong, v)
    if n > 0 and number > (cython.cast(cython.longlong, 1) << (n - 1)):
        number -= cython.cast(cython.longlong, 1) << n
    return number


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _width(ones: cython.int) -> cython.int:
    """Payload bits of a histogram integer by the 1 bits it begins with."""
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
def _vbu(
    p: cython.pointer(cython.const[cython.uchar]), end: cython.Py_ssize_t, at: cython.longlong
) -> tuple[cython.ulonglong, cython.longlong, cython.int]:
    """A histogram integer without its sign, the position behind it, and how many bits it has."""
    ones: cython.int = sg_leading_ones(sg_peek(p, end, at))
    n: cython.int
    zero: cython.ulonglong = 0
    if ones > 8:
        ones = 8
    at += ones + 1 if ones < 8 else 8
    n = _width(ones)
    return (_bits(p, end, at, n) if n else zero), at + n, n


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _vbi(
    p: cython.pointer(cython.const[cython.uchar]), end: cython.Py_ssize_t, at: cython.longlong
) -> tuple[cython.longlong, cython.longlong]:
    v: cython.ulonglong
    n: cython.int
    v, at, n = _vbu(p, end, at)
    return _payload(v, n), at


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _uvarint(
    p: cython.pointer(cython.const[cython.uchar]), end: cython.Py_ssize_t, at: cython.longlong
) -> tuple[cython.ulonglong, cython.longlong]:
    """A varint whose bytes begin at any bit; the position is -1 when it is longer than 64 bits."""
    value: cython.ulonglong = 0
    byte: cython.ulonglong
    shift: cython.int = 0
    while shift < 64:
        byte = _bits(p, end, at, 8)
        at += 8
        if shift == 63 and byte > 1:
            break
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return value, -1


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _xored(
    p: cython.pointer(cython.const[cython.uchar]),
    end: cython.Py_ssize_t,
    at: cython.longlong,
    before: cython.ulonglong,
    window: cython.longlong,
) -> tuple[cython.ulonglong, cython.longlong, cython.longlong]:
    """The next value, the position behind it (-1: malformed), and the window: trailing zeros << 8 | bits, or 0."""
    head: cython.ulonglong = sg_peek(p, end, at)
    leading: cython.int
    n: cython.int
    if head >> 63 == 0:
        return before, at + 1, window
    if head >> 62 == 3:
        leading = cython.cast(cython.int, (head >> 57) & 31)
        n = cython.cast(cython.int, (head >> 51) & 63)
        if n == 0:
            n = 64
        if leading + n > 64:
            return before, -1, window
        window = ((64 - leading - n) << 8) | n
        at += 13
    elif window == 0:
        return before, -1, window
    else:
        at += 2
    n = cython.cast(cython.int, window & 255)
    return before ^ (_bits(p, end, at, n) << (window >> 8)), at + n, window


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _floats(
    p: cython.pointer(cython.const[cython.uchar]),
    pos: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    first: cython.Py_ssize_t,
    last: cython.Py_ssize_t,
    times: cython.longlong[::1],
    values: cython.longlong[::1],
) -> cython.int:
    """The samples of an XOR chunk into first..last."""
    at: cython.longlong = 8 * (pos + 2)
    limit: cython.longlong = 8 * end
    i: cython.Py_ssize_t
    t: cython.longlong = 0
    delta: cython.longlong = 0
    window: cython.longlong = 0
    value: cython.ulonglong = 0
    number: cython.ulonglong
    ones: cython.int
    n: cython.int
    for i in range(first, last):
        if i == first:
            number, at = _uvarint(p, end, at)
            if at < 0:
                return 28
            t = _signed(number >> 1)
            if number & 1:
                t = -t - 1
            value = sg_peek(p, end, at)
            at += 64
        else:
            if i == first + 1:
                number, at = _uvarint(p, end, at)
                if at < 0:
                    return 28
                delta = _signed(number)
            else:
                ones = sg_leading_ones(sg_peek(p, end, at))
                if ones == 0:
                    at += 1
                elif ones >= 4:
                    delta = _sum(delta, _signed(sg_peek(p, end, at + 4)))
                    at += 68
                else:
                    n = 11 + 3 * ones
                    delta = _sum(delta, _payload(_bits(p, end, at + ones + 1, n), n))
                    at += ones + 1 + n
            t = _sum(t, delta)
            value, at, window = _xored(p, end, at, value, window)
            if at < 0:
                return 28
        if at > limit:
            return 27
        times[i] = t
        values[i] = _signed(value)
    return 0


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _layout(
    p: cython.pointer(cython.const[cython.uchar]),
    pos: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    start: cython.Py_ssize_t,
    out: cython.longlong[::1],
) -> tuple[cython.int, cython.longlong, cython.longlong]:
    """Read a histogram chunk's layout: (status, its size, its buckets). Written to `out` when that has room for it."""
    at: cython.longlong = 8 * (pos + 3)
    limit: cython.longlong = 8 * end
    room: cython.Py_ssize_t = out.shape[0]
    size: cython.longlong = start + 9
    number: cython.ulonglong
    offset: cython.longlong
    schema: cython.longlong
    threshold: cython.ulonglong = 0
    buckets: cython.longlong = 0
    spans: cython.longlong
    _k: cython.longlong
    side: cython.int
    _n: cython.int
    number = _bits(p, end, at, 8)
    at += 8
    if number == 255:
        threshold = sg_peek(p, end, at)
        at += 64
    elif number:
        threshold = (number + 779) << 52  # 0.5 * 2^(number - 243), exactly
    schema, at = _vbi(p, end, at)
    if schema != -53 and (schema < -9 or schema > 52):
        return 29, 0, 0
    for side in range(2):
        number, at, _n = _vbu(p, end, at)
        if at > limit or number > _unsigned(limit - at):
            return 27, 0, 0
        spans = cython.cast(cython.longlong, number)
        if start + 9 <= room:
            out[start + 2 + side] = spans
            out[start + 5 + side] = -buckets
        for _k in range(spans):
            number, at, _n = _vbu(p, end, at)
            offset, at = _vbi(p, end, at)
            if at > limit or number > _unsigned(limit):
                return 27, 0, 0
            buckets += cython.cast(cython.longlong, number)
            if buckets > limit:
                return 27, 0, 0
            if size + 2 <= room:
                out[size] = offset
                out[size + 1] = cython.cast(cython.longlong, number)
            size += 2
        if start + 9 <= room:
            out[start + 5 + side] += buckets
    spans = 0
    if schema == -53:
        number, at, _n = _vbu(p, end, at)
        if at > limit or number > _unsigned(limit - at):
            return 27, 0, 0
        spans = cython.cast(cython.longlong, number)
        for _k in range(spans):
            number, at, _n = _vbu(p, end, at)
            if number == 0:
                number = sg_peek(p, end, at)
                at += 64
            else:
                number = sg_as_bits(cython.cast(cython.double, number - 1) / 1000.0)
            if at > limit:
                return 27, 0, 0
            if size < room:
                out[size] = _signed(number)
            size += 1
    if at > limit or buckets > limit - at:
        return 27, 0, 0
    if start + 9 <= room:
        out[start] = schema
        out[start + 1] = _signed(threshold)
        out[start + 4] = spans
        out[start + 7] = p[pos + 2] >> 6 == 3
        out[start + 8] = at - 8 * pos
    return 0, size - start, buckets


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _histograms(
    p: cython.pointer(cython.const[cython.uchar]),
    pos: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    is_float: cython.bint,
    first: cython.Py_ssize_t,
    last: cython.Py_ssize_t,
    header: cython.longlong,
    buckets: cython.longlong,
    start: cython.Py_ssize_t,
    stop: cython.Py_ssize_t,
    times: cython.longlong[::1],
    values: cython.longlong[::1],
    numbers: cython.longlong[::1],
    scratch: cython.longlong[::1],
) -> cython.int:
    """The samples of a histogram chunk into first..last, their numbers into start..stop.

    `scratch` holds the state of each number: its last delta, or the window of its last float.
    """
    at: cython.longlong = 8 * pos + header
    limit: cython.longlong = 8 * end
    i: cython.Py_ssize_t
    k: cython.Py_ssize_t
    before: cython.Py_ssize_t = -1
    whole: cython.Py_ssize_t = -1  # the last sample that has buckets
    source: cython.Py_ssize_t
    t: cython.longlong = 0
    delta: cython.longlong = 0
    change: cython.longlong
    bits: cython.ulonglong
    _n: cython.int
    most: cython.Py_ssize_t
    for k in range(3 + buckets):
        scratch[k] = 0
    for i in range(first, last):
        if start + 3 > stop:
            return 27
        change, at = _vbi(p, end, at)
        if i > first:
            delta = _sum(delta, change)
            change = delta
        t = _sum(t, change)
        times[i] = t
        values[i] = start
        most = 3 + buckets
        k = 0
        while k < most:
            source = before if k < 3 else whole
            if k == 2 or is_float:
                if i == first:
                    bits = sg_peek(p, end, at)
                    at += 64
                else:
                    bits, at, change = _xored(
                        p, end, at, _unsigned(numbers[source + k]) if source >= 0 else 0, scratch[k]
                    )
                    if at < 0:
                        return 28
                    scratch[k] = change
                numbers[start + k] = _signed(bits)
            elif i == first:
                if k < 2:
                    bits, at, _n = _vbu(p, end, at)
                    numbers[start + k] = _signed(bits)
                else:
                    change, at = _vbi(p, end, at)
                    numbers[start + k] = change
            else:
                change, at = _vbi(p, end, at)
                scratch[k] = _sum(scratch[k], change)
                numbers[start + k] = _sum(numbers[source + k] if source >= 0 else 0, scratch[k])
            k += 1
            if k == 3:
                if _unsigned(numbers[start + 2]) == _stale():
                    most = 3
                elif start + most > stop or at > limit:
                    return 27
        if at > limit:
            return 27
        before = start
        if most > 3 or buckets == 0:
            whole = start
        start += most
    return 0


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _measure(
    p: cython.pointer(cython.const[cython.uchar]),
    chunks: cython.const[cython.longlong][:, ::1],
    sizes: cython.longlong[:, ::1],
    nothing: cython.longlong[::1],
) -> tuple[cython.int, cython.Py_ssize_t]:
    m: cython.Py_ssize_t
    pos: cython.Py_ssize_t
    end: cython.Py_ssize_t
    samples: cython.longlong
    size: cython.longlong
    buckets: cython.longlong
    status: cython.int
    for m in range(chunks.shape[0]):
        pos = chunks[m, 4]
        end = pos + chunks[m, 5]
        if end - pos < 2:
            return 27, m
        samples = (cython.cast(cython.longlong, p[pos]) << 8) | p[pos + 1]
        sizes[m, 0] = samples
        sizes[m, 1] = 0
        sizes[m, 2] = 0
        sizes[m, 3] = 0
        if samples == 0:
            continue
        if 2 * samples > 8 * (end - pos):
            return 27, m
        if chunks[m, 3] == 1:
            continue
        if not 2 <= chunks[m, 3] <= 3:
            return 24, m
        if end - pos < 4:
            return 27, m
        status, size, buckets = _layout(p, pos, end, 0, nothing)
        if status:
            return status, m
        sizes[m, 1] = size
        sizes[m, 2] = samples * (3 + buckets) if samples * (3 + buckets) < 8 * (end - pos) else 8 * (end - pos)
        sizes[m, 3] = 3 + buckets
    return 0, chunks.shape[0]


def measure_chunks(data, chunks, sizes, nothing):
    """What the samples of chunks need: `sizes` int64[m, 4] gets (samples, layout, numbers at most, numbers of one).

    `chunks` int64[m, 7] has (min time, max time, -, encoding, position, length, -) for each. `nothing` is an empty
    int64 array. Returns (status, row): 0, or what is wrong with which chunk.
    """
    buf: cython.const[cython.uchar][::1] = memoryview(data if len(data) else b"\0")
    rows: cython.const[cython.longlong][:, ::1] = memoryview(chunks)
    out: cython.longlong[:, ::1] = memoryview(sizes)
    none: cython.longlong[::1] = memoryview(nothing)
    p: cython.pointer(cython.const[cython.uchar])
    m: cython.Py_ssize_t
    status: cython.int
    where: cython.Py_ssize_t
    if out.shape[0] < rows.shape[0] or out.shape[1] != 4 or rows.shape[1] != 7 or none.shape[0]:
        raise ValueError("the arrays do not fit one another")
    for m in range(rows.shape[0]):
        if not 0 <= rows[m, 4] <= rows[m, 4] + rows[m, 5] <= len(data) or rows[m, 5] < 0:
            raise ValueError("a chunk is outside the data")
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        status, where = _measure(p, rows, out, none)
    return status, where


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _decode(
    p: cython.pointer(cython.const[cython.uchar]),
    chunks: cython.const[cython.longlong][:, ::1],
    starts: cython.const[cython.longlong][:, ::1],
    times: cython.longlong[::1],
    values: cython.longlong[::1],
    rows: cython.longlong[::1],
    layouts: cython.longlong[::1],
    numbers: cython.longlong[::1],
    scratch: cython.longlong[::1],
) -> tuple[cython.int, cython.Py_ssize_t]:
    m: cython.Py_ssize_t
    i: cython.Py_ssize_t
    pos: cython.Py_ssize_t
    end: cython.Py_ssize_t
    size: cython.longlong
    buckets: cython.longlong
    status: cython.int
    for m in range(chunks.shape[0]):
        if starts[m, 0] == starts[m + 1, 0]:
            continue
        pos = chunks[m, 4]
        end = pos + chunks[m, 5]
        for i in range(starts[m, 0], starts[m + 1, 0]):
            rows[i] = m
        if chunks[m, 3] == 1:
            status = _floats(p, pos, end, starts[m, 0], starts[m + 1, 0], times, values)
        else:
            status, size, buckets = _layout(p, pos, end, starts[m, 1], layouts)
            if status == 0 and (starts[m, 1] + size > starts[m + 1, 1] or 3 + buckets > scratch.shape[0]):
                status = 27
            if status == 0:
                status = _histograms(
                    p, pos, end, chunks[m, 3] == 3, starts[m, 0], starts[m + 1, 0], layouts[starts[m, 1] + 8], buckets,
                    starts[m, 2], starts[m + 1, 2], times, values, numbers, scratch,
                )  # fmt: skip
        if status:
            return status, m
    return 0, chunks.shape[0]


def decode_chunks(data, chunks, starts, times, values, rows, layouts, numbers, scratch):
    """Decode chunks that `measure_chunks` has measured; `starts` int64[m + 1, 3] sums its first three columns up.

    Fills `times`, `values` and `rows` int64[starts[m, 0]], `layouts` int64[starts[m, 1]] and `numbers`
    int64[starts[m, 2]]; `scratch` has room for the numbers of the widest sample. Returns (status, row).
    """
    buf: cython.const[cython.uchar][::1] = memoryview(data if len(data) else b"\0")
    table: cython.const[cython.longlong][:, ::1] = memoryview(chunks)
    cuts: cython.const[cython.longlong][:, ::1] = memoryview(starts)
    t: cython.longlong[::1] = memoryview(times)
    v: cython.longlong[::1] = memoryview(values)
    r: cython.longlong[::1] = memoryview(rows)
    la: cython.longlong[::1] = memoryview(layouts)
    nu: cython.longlong[::1] = memoryview(numbers)
    sc: cython.longlong[::1] = memoryview(scratch)
    p: cython.pointer(cython.const[cython.uchar])
    m: cython.Py_ssize_t
    n: cython.Py_ssize_t = table.shape[0]
    status: cython.int
    where: cython.Py_ssize_t
    if cuts.shape[0] != n + 1 or cuts.shape[1] != 3 or table.shape[1] != 7:
        raise ValueError("the arrays do not fit one another")
    if t.shape[0] < cuts[n, 0] or v.shape[0] < cuts[n, 0] or r.shape[0] < cuts[n, 0]:
        raise ValueError("the output is too small")
    if la.shape[0] < cuts[n, 1] or nu.shape[0] < cuts[n, 2]:
        raise ValueError("the output is too small")
    for m in range(n):
        if not 0 <= table[m, 4] <= table[m, 4] + table[m, 5] <= len(data) or table[m, 5] < 0:
            raise ValueError("a chunk is outside the data")
        if not 0 <= cuts[m, 0] <= cuts[m + 1, 0] or not 0 <= cuts[m, 1] <= cuts[m + 1, 1]:
            raise ValueError("the starts do not ascend")
        if not 0 <= cuts[m, 2] <= cuts[m + 1, 2] or (cuts[m, 0] < cuts[m + 1, 0] and table[m, 5] < 2):
            raise ValueError("the starts do not ascend")
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        status, where = _decode(p, table, cuts, t, v, r, la, nu, sc)
    return status, where
