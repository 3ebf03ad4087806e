# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Samples, as `storegate.kernels.decode` gives them, back into XOR, HISTOGRAM and FLOAT_HISTOGRAM chunks.

The layout of a histogram chunk is copied, bit by bit, from the chunk that its first sample came from.
"""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

if cython.compiled:
    from cython.cimports.storegate.kernels.bits import (
        sg_as_double,
        sg_leading_zeros,
        sg_peek,
        sg_put_bits,
        sg_trailing_zeros,
    )
else:
    from storegate.kernels.bits import sg_as_double, sg_leading_zeros, sg_peek, sg_put_bits, sg_trailing_zeros


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
def _difference(a: cython.longlong, b: cython.longlong) -> cython.longlong:
    """a - b in 64 bits that wrap around."""
    if cython.compiled:
        return cython.cast(cython.longlong, cython.cast(cython.ulonglong, a) - cython.cast(cython.ulonglong, b))
    return ((a - b + 0x8000000000000000) & 0xFFFFFFFFFFFFFFFF) - 0x8000000000000000


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _fits(v: cython.longlong, n: cython.int) -> cython.bint:
    """Whether a signed payload of n bits holds v: -2^(n-1) + 1 to 2^(n-1)."""
    half: cython.longlong = cython.cast(cython.longlong, 1) << (n - 1)
    return -half < v <= half


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_uvarint(o: cython.pointer(cython.uchar), at: cython.longlong, v: cython.ulonglong) -> cython.longlong:
    while v >= 0x80:
        at = sg_put_bits(o, at, (v & 0x7F) | 0x80, 8)
        v >>= 7
    return sg_put_bits(o, at, v, 8)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_class(
    o: cython.pointer(cython.uchar), at: cython.longlong, ones: cython.int, n: cython.int, v: cython.ulonglong
) -> cython.longlong:
    """`ones` 1 bits, a 0 bit unless there are 8 of them, and n bits of v."""
    if ones < 8:
        at = sg_put_bits(o, at, (cython.cast(cython.ulonglong, 2) << ones) - 2, ones + 1)
    else:
        at = sg_put_bits(o, at, 255, 8)
    return sg_put_bits(o, at, v, n) if n else at


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
@cython.nogil
@cython.exceptval(check=False)
def _put_vbi(o: cython.pointer(cython.uchar), at: cython.longlong, v: cython.longlong) -> cython.longlong:
    ones: cython.int = 0
    if v != 0:
        ones = 1
        while ones < 8 and not _fits(v, _width(ones)):
            ones += 1
    return _put_class(o, at, ones, _width(ones), _unsigned(v))


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_vbu(o: cython.pointer(cython.uchar), at: cython.longlong, v: cython.ulonglong) -> cython.longlong:
    ones: cython.int = 0
    if v != 0:
        ones = 1
        while ones < 8 and v >> _width(ones) != 0:
            ones += 1
    return _put_class(o, at, ones, _width(ones), v)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_xored(
    o: cython.pointer(cython.uchar),
    at: cython.longlong,
    before: cython.ulonglong,
    value: cython.ulonglong,
    window: cython.longlong,
) -> tuple[cython.longlong, cython.longlong]:
    """Write a value against its predecessor: the position, and the window (trailing zeros << 8 | bits, 0: none yet)."""
    changed: cython.ulonglong = before ^ value
    leading: cython.int
    trailing: cython.int
    if changed == 0:
        return sg_put_bits(o, at, 0, 1), window
    leading = sg_leading_zeros(changed)
    trailing = sg_trailing_zeros(changed)
    if leading > 31:
        leading = 31
    if window and leading >= 64 - (window >> 8) - (window & 255) and trailing >= window >> 8:
        at = sg_put_bits(o, at, 2, 2)
    else:
        window = (trailing << 8) | (64 - leading - trailing)
        at = sg_put_bits(o, at, 3, 2)
        at = sg_put_bits(o, at, leading, 5)
        at = sg_put_bits(o, at, 64 - leading - trailing, 6)
    return sg_put_bits(o, at, changed >> (window >> 8), cython.cast(cython.int, window & 255)), window


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _floats(
    o: cython.pointer(cython.uchar),
    at: cython.longlong,
    order: cython.const[cython.longlong][::1],
    first: cython.Py_ssize_t,
    last: cython.Py_ssize_t,
    times: cython.const[cython.longlong][::1],
    values: cython.const[cython.longlong][::1],
) -> cython.longlong:
    """An XOR chunk; the position behind it."""
    i: cython.Py_ssize_t
    s: cython.Py_ssize_t
    t: cython.longlong = 0
    delta: cython.longlong = 0
    change: cython.longlong
    window: cython.longlong = 0
    value: cython.ulonglong = 0
    at = sg_put_bits(o, at, cython.cast(cython.ulonglong, last - first), 16)
    for i in range(first, last):
        s = order[i]
        if i == first:
            t = times[s]
            at = _put_uvarint(o, at, (_unsigned(-(t + 1)) << 1) | 1 if t < 0 else _unsigned(t) << 1)
            at = sg_put_bits(o, at, _unsigned(values[s]), 64)
        else:
            change = _difference(times[s], t)
            t = times[s]
            if i == first + 1:
                at = _put_uvarint(o, at, _unsigned(change))
                delta = change
            else:
                delta, change = change, _difference(change, delta)
                if change == 0:
                    at = sg_put_bits(o, at, 0, 1)
                elif _fits(change, 14):
                    at = _put_class(o, at, 1, 14, _unsigned(change))
                elif _fits(change, 17):
                    at = _put_class(o, at, 2, 17, _unsigned(change))
                elif _fits(change, 20):
                    at = _put_class(o, at, 3, 20, _unsigned(change))
                else:
                    at = sg_put_bits(o, at, 15, 4)
                    at = sg_put_bits(o, at, _unsigned(change), 64)
            at, window = _put_xored(o, at, value, _unsigned(values[s]), window)
        value = _unsigned(values[s])
    return at


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _is_stale(numbers: cython.const[cython.longlong][::1], at: cython.Py_ssize_t) -> cython.bint:
    """Whether the histogram whose numbers begin there marks the end of a series."""
    mark: cython.longlong = 0x7FF0000000000002
    return numbers[at + 2] == mark


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_layout(
    o: cython.pointer(cython.uchar),
    at: cython.longlong,
    p: cython.pointer(cython.const[cython.uchar]),
    pos: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    header: cython.longlong,
) -> cython.longlong:
    """Copy the layout, from behind the flags to bit `header` of the chunk at `pos`."""
    source: cython.longlong = 8 * (pos + 3)
    left: cython.longlong = header - 24
    n: cython.int
    while left > 0:
        n = 64 if left > 64 else cython.cast(cython.int, left)
        at = sg_put_bits(o, at, sg_peek(p, end, source) >> (64 - n), n)
        source += n
        left -= n
    return at


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _histograms(
    o: cython.pointer(cython.uchar),
    at: cython.longlong,
    p: cython.pointer(cython.const[cython.uchar]),
    chunks: cython.const[cython.longlong][:, ::1],
    starts: cython.const[cython.longlong][:, ::1],
    order: cython.const[cython.longlong][::1],
    first: cython.Py_ssize_t,
    last: cython.Py_ssize_t,
    times: cython.const[cython.longlong][::1],
    values: cython.const[cython.longlong][::1],
    rows: cython.const[cython.longlong][::1],
    layouts: cython.const[cython.longlong][::1],
    numbers: cython.const[cython.longlong][::1],
    scratch: cython.longlong[::1],
) -> cython.longlong:
    """A histogram chunk; the position behind it."""
    row: cython.Py_ssize_t = rows[order[first]]
    layout: cython.Py_ssize_t = starts[row, 1]
    is_float: cython.bint = chunks[row, 3] == 3
    most: cython.Py_ssize_t = 3 + layouts[layout + 5] + layouts[layout + 6]
    i: cython.Py_ssize_t
    k: cython.Py_ssize_t
    now: cython.Py_ssize_t
    before: cython.Py_ssize_t = 0
    wide: cython.Py_ssize_t
    t: cython.longlong = 0
    delta: cython.longlong = 0
    change: cython.longlong
    at = sg_put_bits(o, at, cython.cast(cython.ulonglong, last - first), 16)
    at = sg_put_bits(o, at, 0xC0 if layouts[layout + 7] else 0, 8)
    if _is_stale(numbers, values[order[first]]):
        at = sg_put_bits(o, at, 0, 11)  # no zero bucket, schema 0, no spans
    else:
        at = _put_layout(o, at, p, chunks[row, 4], chunks[row, 4] + chunks[row, 5], layouts[layout + 8])
    for k in range(most):
        scratch[k] = 0
    for i in range(first, last):
        now = values[order[i]]
        wide = 3 if _is_stale(numbers, now) else most
        change = times[order[i]]
        if i > first:
            change = _difference(change, t)
            at = _put_vbi(o, at, _difference(change, delta))
            delta = change
        else:
            at = _put_vbi(o, at, change)
        t = times[order[i]]
        for k in range(wide):
            if k == 2 or is_float:
                if i == first:
                    at = sg_put_bits(o, at, _unsigned(numbers[now + k]), 64)
                else:
                    at, change = _put_xored(
                        o, at, _unsigned(numbers[before + k]), _unsigned(numbers[now + k]), scratch[k]
                    )
                    scratch[k] = change
            elif i == first:
                if k < 2:
                    at = _put_vbu(o, at, _unsigned(numbers[now + k]))
                else:
                    at = _put_vbi(o, at, numbers[now + k])
            else:
                change = _difference(numbers[now + k], numbers[before + k])
                at = _put_vbi(o, at, _difference(change, scratch[k]))
                scratch[k] = change
        before = now
    return at


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _same_layout(
    layouts: cython.const[cython.longlong][::1], a: cython.Py_ssize_t, b: cython.Py_ssize_t
) -> cython.bint:
    k: cython.Py_ssize_t
    if a == b:
        return True
    for k in range(8):
        if layouts[a + k] != layouts[b + k]:
            return False
    for k in range(9, 9 + 2 * (layouts[a + 2] + layouts[a + 3]) + layouts[a + 4]):
        if layouts[a + k] != layouts[b + k]:
            return False
    return True


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _falls(
    numbers: cython.const[cython.longlong][::1],
    a: cython.Py_ssize_t,
    b: cython.Py_ssize_t,
    positive: cython.Py_ssize_t,
    negative: cython.Py_ssize_t,
    is_float: cython.bint,
) -> cython.bint:
    """Whether any counter of the histogram at b is below that at a: then a new chunk must begin."""
    k: cython.Py_ssize_t
    x: cython.longlong = 0
    y: cython.longlong = 0
    for k in range(3 + positive + negative):
        if k == 2:
            continue
        if is_float:
            if sg_as_double(_unsigned(numbers[b + k])) < sg_as_double(_unsigned(numbers[a + k])):
                return True
        elif k < 2:
            if _unsigned(numbers[b + k]) < _unsigned(numbers[a + k]):
                return True
        else:
            if k == 3 or k == 3 + positive:
                x = 0
                y = 0
            x += numbers[a + k]
            y += numbers[b + k]
            if y < x:
                return True
    return False


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _goes_on(
    chunks: cython.const[cython.longlong][:, ::1],
    starts: cython.const[cython.longlong][:, ::1],
    head: cython.Py_ssize_t,
    before: cython.Py_ssize_t,
    sample: cython.Py_ssize_t,
    values: cython.const[cython.longlong][::1],
    rows: cython.const[cython.longlong][::1],
    layouts: cython.const[cython.longlong][::1],
    numbers: cython.const[cython.longlong][::1],
) -> cython.bint:
    """Whether a sample fits into the chunk that `head` begins and that `before` is the last one of."""
    layout: cython.Py_ssize_t = starts[rows[head], 1]
    other: cython.Py_ssize_t = starts[rows[sample], 1]
    is_float: cython.bint
    if chunks[rows[head], 3] != chunks[rows[sample], 3]:
        return False
    if chunks[rows[head], 3] == 1:
        return True
    if _is_stale(numbers, values[sample]):
        return layouts[layout + 7] == layouts[other + 7]
    if _is_stale(numbers, values[before]) or not _same_layout(layouts, layout, other):
        return False
    is_float = chunks[rows[head], 3] == 3
    return layouts[layout + 7] != 0 or not _falls(
        numbers, values[before], values[sample], layouts[layout + 5], layouts[layout + 6], is_float
    )


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _encode(
    o: cython.pointer(cython.uchar),
    room: cython.Py_ssize_t,
    p: cython.pointer(cython.const[cython.uchar]),
    chunks: cython.const[cython.longlong][:, ::1],
    starts: cython.const[cython.longlong][:, ::1],
    kept: cython.const[cython.longlong][::1],
    order: cython.const[cython.longlong][::1],
    times: cython.const[cython.longlong][::1],
    values: cython.const[cython.longlong][::1],
    rows: cython.const[cython.longlong][::1],
    layouts: cython.const[cython.longlong][::1],
    numbers: cython.const[cython.longlong][::1],
    scratch: cython.longlong[::1],
    per_chunk: cython.Py_ssize_t,
    made: cython.longlong[:, ::1],
) -> tuple[cython.Py_ssize_t, cython.Py_ssize_t]:
    g: cython.Py_ssize_t
    first: cython.Py_ssize_t
    last: cython.Py_ssize_t
    row: cython.Py_ssize_t
    need: cython.Py_ssize_t
    pos: cython.Py_ssize_t = 0
    n: cython.Py_ssize_t = 0
    at: cython.longlong
    for g in range(kept.shape[0] - 1):
        first = kept[g]
        while first < kept[g + 1]:
            last = first + 1
            while (
                last < kept[g + 1]
                and last - first < per_chunk
                and _goes_on(chunks, starts, order[first], order[last - 1], order[last], values, rows, layouts, numbers)
            ):
                last += 1
            row = rows[order[first]]
            need = 1
            if chunks[row, 3] != 1:
                need = 3 + layouts[starts[row, 1] + 5] + layouts[starts[row, 1] + 6]
            need = 32 + (last - first) * (need + 1) * 10
            if chunks[row, 3] != 1:
                need += layouts[starts[row, 1] + 8] // 8
            if pos + need > room:
                return -1, n
            if chunks[row, 3] == 1:
                at = _floats(o, 8 * pos, order, first, last, times, values)
            else:
                at = _histograms(
                    o, 8 * pos, p, chunks, starts, order, first, last, times, values, rows, layouts, numbers, scratch
                )
            made[n, 0] = times[order[first]]
            made[n, 1] = times[order[last - 1]]
            made[n, 2] = g
            made[n, 3] = chunks[row, 3]
            made[n, 4] = pos
            made[n, 5] = (at + 7) // 8 - pos
            made[n, 6] = 1
            pos = (at + 7) // 8
            n += 1
            first = last
    return pos, n


def encode_chunks(
    data,
    chunks,
    starts,
    kept,
    order,
    times,
    values,
    rows,
    layouts,
    numbers,
    scratch,
    per_chunk,
    out,
    made,
):
    """Chunks of at most `per_chunk` samples from those that `kept` and `order` name (as `order_samples` does).

    The other arrays as `decode_chunks` took and filled them. A chunk also ends where the encoding or the layout
    changes, where a counter falls, and behind a stale histogram. `out` is zero; `made` int64[n, 7] gets (min time,
    max time, series, encoding, position in `out`, length, 1). Returns (bytes, chunks); bytes -1: `out` is too small.
    """
    buf: cython.const[cython.uchar][::1] = memoryview(data if len(data) else b"\0")
    table: cython.const[cython.longlong][:, ::1] = memoryview(chunks)
    cuts: cython.const[cython.longlong][:, ::1] = memoryview(starts)
    groups: cython.const[cython.longlong][::1] = memoryview(kept)
    index: cython.const[cython.longlong][::1] = memoryview(order)
    t: cython.const[cython.longlong][::1] = memoryview(times)
    v: cython.const[cython.longlong][::1] = memoryview(values)
    r: cython.const[cython.longlong][::1] = memoryview(rows)
    la: cython.const[cython.longlong][::1] = memoryview(layouts)
    nu: cython.const[cython.longlong][::1] = memoryview(numbers)
    sc: cython.longlong[::1] = memoryview(scratch)
    target: cython.uchar[::1] = memoryview(out)
    result: cython.longlong[:, ::1] = memoryview(made)
    most: cython.Py_ssize_t = per_chunk
    p: cython.pointer(cython.const[cython.uchar])
    o: cython.pointer(cython.uchar)
    i: cython.Py_ssize_t
    n: cython.Py_ssize_t = groups[groups.shape[0] - 1]
    room: cython.Py_ssize_t = target.shape[0]
    size: cython.Py_ssize_t
    count: cython.Py_ssize_t
    if not 1 <= most <= 65535 or index.shape[0] < n or result.shape[0] < n or result.shape[1] != 7 or groups[0] != 0:
        raise ValueError("the arrays do not fit one another")
    if cuts.shape[0] != table.shape[0] + 1 or cuts.shape[1] != 3 or r.shape[0] < t.shape[0] or v.shape[0] < t.shape[0]:
        raise ValueError("the arrays do not fit one another")
    for i in range(groups.shape[0] - 1):
        if groups[i] > groups[i + 1]:
            raise ValueError("the cuts do not ascend")
    for i in range(n):
        if not 0 <= index[i] < t.shape[0] or not 0 <= r[index[i]] < table.shape[0]:
            raise ValueError("the order leaves the samples")
    if n == 0 or room == 0:
        return 0 if n == 0 else -1, 0
    if cython.compiled:
        p = cython.address(buf[0])
        o = cython.address(target[0])
    else:
        p = buf
        o = target
    with cython.nogil:
        size, count = _encode(o, room, p, table, cuts, groups, index, t, v, r, la, nu, sc, most, result)
    return size, count
