# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Decoded samples as the `TimeSeries` messages of Prometheus' remote read."""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize
    from cython.cimports.storegate.kernels.bits import sg_put_fixed64, sg_put_varint
    from cython.cimports.storegate.kernels.wire import sg_copy, sg_varint_size
else:
    from storegate.kernels.bits import sg_put_fixed64, sg_put_varint
    from storegate.kernels.wire import sg_copy, sg_varint_size


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
def _zigzag(v: cython.longlong) -> cython.ulonglong:
    return (_unsigned(-(v + 1)) << 1) | 1 if v < 0 else _unsigned(v) << 1


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _put_fixed(
    o: cython.pointer(cython.uchar),
    pos: cython.Py_ssize_t,
    write: cython.bint,
    tag: cython.int,
    value: cython.longlong,
    always: cython.bint,
) -> cython.Py_ssize_t:
    """A double field, left out when all its bits are 0 unless it is a member of a oneof."""
    if value == 0 and not always:
        return pos
    if write:
        o[pos] = tag
        sg_put_fixed64(o, pos + 1, _unsigned(value))
    return pos + 9


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _put_number(
    o: cython.pointer(cython.uchar),
    pos: cython.Py_ssize_t,
    write: cython.bint,
    tag: cython.int,
    value: cython.ulonglong,
    always: cython.bint,
) -> cython.Py_ssize_t:
    """A varint field of a tag below 16, left out when 0 unless it is a member of a oneof."""
    if value == 0 and not always:
        return pos
    if not write:
        return pos + 1 + sg_varint_size(value)
    o[pos] = tag
    return sg_put_varint(o, pos + 1, value)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_spans(
    o: cython.pointer(cython.uchar),
    pos: cython.Py_ssize_t,
    write: cython.bint,
    tag: cython.int,
    layouts: cython.const[cython.longlong][::1],
    at: cython.Py_ssize_t,
    count: cython.longlong,
) -> cython.Py_ssize_t:
    k: cython.Py_ssize_t
    n: cython.Py_ssize_t
    for k in range(count):
        n = _put_number(o, 0, False, 0x08, _zigzag(layouts[at + 2 * k]), False)
        n = _put_number(o, n, False, 0x10, _unsigned(layouts[at + 2 * k + 1]), False)
        if write:
            o[pos] = tag
            o[pos + 1] = n
        pos += 2
        if write:
            pos = _put_number(o, pos, True, 0x08, _zigzag(layouts[at + 2 * k]), False)
            pos = _put_number(o, pos, True, 0x10, _unsigned(layouts[at + 2 * k + 1]), False)
        else:
            pos += n
    return pos


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_buckets(
    o: cython.pointer(cython.uchar),
    pos: cython.Py_ssize_t,
    write: cython.bint,
    tag: cython.int,
    is_float: cython.bint,
    numbers: cython.const[cython.longlong][::1],
    at: cython.Py_ssize_t,
    count: cython.longlong,
) -> cython.Py_ssize_t:
    """A packed field: deltas under `tag`, counts under the next one."""
    k: cython.Py_ssize_t
    n: cython.Py_ssize_t = 0
    if count == 0:
        return pos
    if is_float:
        n = 8 * count
        tag += 8
    else:
        for k in range(count):
            n += sg_varint_size(_zigzag(numbers[at + k]))
    if not write:
        return pos + 1 + sg_varint_size(n) + n
    o[pos] = tag
    pos = sg_put_varint(o, pos + 1, n)
    for k in range(count):
        if is_float:
            pos = sg_put_fixed64(o, pos, _unsigned(numbers[at + k]))
        else:
            pos = sg_put_varint(o, pos, _zigzag(numbers[at + k]))
    return pos


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_histogram(
    o: cython.pointer(cython.uchar),
    pos: cython.Py_ssize_t,
    write: cython.bint,
    is_float: cython.bint,
    hint: cython.int,
    t: cython.longlong,
    layouts: cython.const[cython.longlong][::1],
    layout: cython.Py_ssize_t,
    numbers: cython.const[cython.longlong][::1],
    at: cython.Py_ssize_t,
) -> cython.Py_ssize_t:
    """The fields of a Histogram message, written or only measured; the position behind them."""
    spans: cython.Py_ssize_t = layout + 9
    positive: cython.longlong = layouts[layout + 5]
    k: cython.Py_ssize_t
    mark: cython.longlong = 0x7FF0000000000002
    stale: cython.bint = numbers[at + 2] == mark
    if is_float:
        pos = _put_fixed(o, pos, write, 0x11, 0 if stale else numbers[at], True)
    else:
        pos = _put_number(o, pos, write, 0x08, 0 if stale else _unsigned(numbers[at]), True)
    pos = _put_fixed(o, pos, write, 0x19, numbers[at + 2], False)
    if not stale:
        pos = _put_number(o, pos, write, 0x20, _zigzag(layouts[layout]), False)
        pos = _put_fixed(o, pos, write, 0x29, layouts[layout + 1], False)
    if is_float:
        pos = _put_fixed(o, pos, write, 0x39, 0 if stale else numbers[at + 1], True)
    else:
        pos = _put_number(o, pos, write, 0x30, 0 if stale else _unsigned(numbers[at + 1]), True)
    if not stale:
        pos = _put_spans(o, pos, write, 0x42, layouts, spans + 2 * layouts[layout + 2], layouts[layout + 3])
        pos = _put_buckets(o, pos, write, 0x4A, is_float, numbers, at + 3 + positive, layouts[layout + 6])
        pos = _put_spans(o, pos, write, 0x5A, layouts, spans, layouts[layout + 2])
        pos = _put_buckets(o, pos, write, 0x62, is_float, numbers, at + 3, positive)
        pos = _put_number(o, pos, write, 0x70, hint, False)
    pos = _put_number(o, pos, write, 0x78, _unsigned(t), False)
    if not stale and layouts[layout + 4] > 0:
        k = 8 * layouts[layout + 4]
        spans += 2 * (layouts[layout + 2] + layouts[layout + 3])
        if write:
            o[pos] = 0x82
            o[pos + 1] = 0x01
            pos = sg_put_varint(o, pos + 2, k)
            for k in range(layouts[layout + 4]):
                pos = sg_put_fixed64(
                    o, pos, _unsigned(layouts[spans + 2 * (layouts[layout + 2] + layouts[layout + 3]) + k])
                )
        else:
            pos += 2 + sg_varint_size(k) + k
    return pos


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_samples(
    o: cython.pointer(cython.uchar),
    pos: cython.Py_ssize_t,
    write: cython.bint,
    histograms: cython.bint,
    begin: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    order: cython.const[cython.longlong][::1],
    times: cython.const[cython.longlong][::1],
    values: cython.const[cython.longlong][::1],
    rows: cython.const[cython.longlong][::1],
    chunks: cython.const[cython.longlong][:, ::1],
    starts: cython.const[cython.longlong][:, ::1],
    layouts: cython.const[cython.longlong][::1],
    numbers: cython.const[cython.longlong][::1],
) -> cython.Py_ssize_t:
    """The floats of a series, or its histograms."""
    i: cython.Py_ssize_t
    s: cython.Py_ssize_t
    n: cython.Py_ssize_t
    layout: cython.Py_ssize_t
    hint: cython.int
    is_float: cython.bint
    for i in range(begin, end):
        s = order[i]
        if (chunks[rows[s], 3] != 1) != histograms:
            continue
        if not histograms:
            n = 0 if values[s] == 0 else 9
            if times[s] != 0:
                n += 1 + sg_varint_size(_unsigned(times[s]))
            if not write:
                pos += 2 + n
                continue
            o[pos] = 0x12
            o[pos + 1] = n
            pos = _put_fixed(o, pos + 2, True, 0x09, values[s], False)
            pos = _put_number(o, pos, True, 0x10, _unsigned(times[s]), False)
            continue
        layout = starts[rows[s], 1]
        is_float = chunks[rows[s], 3] == 3
        hint = 0
        if layouts[layout + 7]:
            hint = 3
        elif i > begin and order[i - 1] == s - 1 and rows[s - 1] == rows[s]:
            hint = 2  # no counter falls within a chunk
        n = _put_histogram(o, 0, False, is_float, hint, times[s], layouts, layout, numbers, values[s])
        if write:
            o[pos] = 0x22
            pos = sg_put_varint(o, pos + 1, n)
            pos = _put_histogram(o, pos, True, is_float, hint, times[s], layouts, layout, numbers, values[s])
        else:
            pos += 1 + sg_varint_size(n) + n
    return pos


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _measure(
    series: cython.const[cython.longlong][:, ::1],
    kept: cython.const[cython.longlong][::1],
    order: cython.const[cython.longlong][::1],
    times: cython.const[cython.longlong][::1],
    values: cython.const[cython.longlong][::1],
    rows: cython.const[cython.longlong][::1],
    chunks: cython.const[cython.longlong][:, ::1],
    starts: cython.const[cython.longlong][:, ::1],
    layouts: cython.const[cython.longlong][::1],
    numbers: cython.const[cython.longlong][::1],
    nothing: cython.pointer(cython.uchar),
    sizes: cython.longlong[::1],
) -> cython.Py_ssize_t:
    g: cython.Py_ssize_t
    n: cython.Py_ssize_t
    total: cython.Py_ssize_t = 0
    k: cython.int
    for g in range(kept.shape[0] - 1):
        n = series[g, 1] - series[g, 0]
        for k in range(2):
            n = _put_samples(
                nothing, n, False, k == 1, kept[g], kept[g + 1], order, times, values, rows, chunks, starts, layouts,
                numbers,
            )  # fmt: skip
        sizes[g] = n
        total += 1 + sg_varint_size(n) + n
    return total


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _write(
    o: cython.pointer(cython.uchar),
    p: cython.pointer(cython.const[cython.uchar]),
    series: cython.const[cython.longlong][:, ::1],
    kept: cython.const[cython.longlong][::1],
    order: cython.const[cython.longlong][::1],
    times: cython.const[cython.longlong][::1],
    values: cython.const[cython.longlong][::1],
    rows: cython.const[cython.longlong][::1],
    chunks: cython.const[cython.longlong][:, ::1],
    starts: cython.const[cython.longlong][:, ::1],
    layouts: cython.const[cython.longlong][::1],
    numbers: cython.const[cython.longlong][::1],
    sizes: cython.const[cython.longlong][::1],
) -> cython.Py_ssize_t:
    g: cython.Py_ssize_t
    pos: cython.Py_ssize_t = 0
    k: cython.int
    for g in range(kept.shape[0] - 1):
        o[pos] = 0x0A
        pos = sg_put_varint(o, pos + 1, sizes[g])
        pos = sg_copy(o, pos, p, series[g, 0], series[g, 1] - series[g, 0])
        for k in range(2):
            pos = _put_samples(
                o, pos, True, k == 1, kept[g], kept[g + 1], order, times, values, rows, chunks, starts, layouts, numbers
            )
    return pos


def write_timeseries(frame, series, kept, order, times, values, rows, chunks, starts, layouts, numbers, sizes):
    """The `timeseries` of a QueryResult as one bytes object: labels, then floats, then native histograms.

    `series` as from `scan_frame`, `kept` and `order` as from `order_samples`, the others as `decode_chunks` took and
    filled them. `sizes` int64[g] is scratch space. The reset hint of a histogram is NO behind its predecessor in its
    own chunk, GAUGE for gauges, else UNKNOWN: whether the chunk before is still its neighbour, nobody knows.
    """
    fb: cython.const[cython.uchar][::1] = memoryview(frame if len(frame) else b"\0")
    se: cython.const[cython.longlong][:, ::1] = memoryview(series)
    ke: cython.const[cython.longlong][::1] = memoryview(kept)
    od: cython.const[cython.longlong][::1] = memoryview(order)
    t: cython.const[cython.longlong][::1] = memoryview(times)
    v: cython.const[cython.longlong][::1] = memoryview(values)
    r: cython.const[cython.longlong][::1] = memoryview(rows)
    ch: cython.const[cython.longlong][:, ::1] = memoryview(chunks)
    st: cython.const[cython.longlong][:, ::1] = memoryview(starts)
    la: cython.const[cython.longlong][::1] = memoryview(layouts)
    nu: cython.const[cython.longlong][::1] = memoryview(numbers)
    sz: cython.longlong[::1] = memoryview(sizes)
    o: cython.pointer(cython.uchar)
    p: cython.pointer(cython.const[cython.uchar])
    i: cython.Py_ssize_t
    n: cython.Py_ssize_t = ke.shape[0] - 1
    size: cython.Py_ssize_t
    done: cython.Py_ssize_t
    if se.shape[0] < n or se.shape[1] != 3 or sz.shape[0] < n or ke[0] != 0 or od.shape[0] < ke[n]:
        raise ValueError("the arrays do not fit one another")
    if st.shape[0] < ch.shape[0] or v.shape[0] < t.shape[0] or r.shape[0] < t.shape[0]:
        raise ValueError("the arrays do not fit one another")
    for i in range(n):
        if ke[i] > ke[i + 1] or not 0 <= se[i, 0] <= se[i, 1] <= len(frame):
            raise ValueError("a series is outside the frame")
    for i in range(ke[n]):
        if not 0 <= od[i] < t.shape[0] or not 0 <= r[od[i]] < ch.shape[0]:
            raise ValueError("the order leaves the samples")
    if cython.compiled:
        p = cython.address(fb[0])
        o = cython.NULL
    else:
        p = fb
        o = None
    with cython.nogil:
        size = _measure(se, ke, od, t, v, r, ch, st, la, nu, o, sz)
    if cython.compiled:
        result = PyBytes_FromStringAndSize(cython.NULL, size)
        o = cython.cast(cython.pointer(cython.uchar), PyBytes_AS_STRING(result))
    else:
        result = bytearray(size)
        o = result
    with cython.nogil:
        done = _write(o, p, se, ke, od, t, v, r, ch, st, la, nu, sz)
    if done != size:
        raise AssertionError("the series were measured wrongly")
    return result if cython.compiled else bytes(result)
