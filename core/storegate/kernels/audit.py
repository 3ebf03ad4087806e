# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What only a verification asks of an index: label pairs as numbers, how often each occurs, the order of label sets.

A label pair is one number, `name << 32 | value`, of the ordinals of its symbols; ordinals ascend as the symbols' bytes
do. Series have the columns of `decode_series`.
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
def _symbol_at(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t, end: cython.Py_ssize_t
) -> tuple[cython.Py_ssize_t, cython.Py_ssize_t]:
    """Place and length of a symbol; the place is -1 when it leaves the buffer."""
    length: cython.Py_ssize_t = 0
    shift: cython.int = 0
    byte: cython.Py_ssize_t
    while pos < end and shift < 35:
        byte = p[pos]
        pos += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            if length > end - pos:
                break
            return pos, length
        shift += 7
    return -1, 0


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _ordinals(
    p: cython.pointer(cython.const[cython.uchar]),
    size: cython.Py_ssize_t,
    base: cython.Py_ssize_t,
    positions: cython.const[cython.uint][::1],
    v: cython.pointer(cython.const[cython.uchar]),
    spans: cython.const[cython.longlong][:, ::1],
    out: cython.longlong[::1],
) -> cython.Py_ssize_t:
    i: cython.Py_ssize_t
    low: cython.Py_ssize_t = 0  # no symbol before it is as large as the value
    high: cython.Py_ssize_t
    step: cython.Py_ssize_t
    middle: cython.Py_ssize_t
    at: cython.Py_ssize_t
    length: cython.Py_ssize_t
    order: cython.int
    n: cython.Py_ssize_t = positions.shape[0]
    for i in range(spans.shape[0]):
        out[i] = -1
        if i > 0 and sg_compare(v, spans[i, 0], spans[i, 1], v, spans[i - 1, 0], spans[i - 1, 1]) < 0:
            low = 0
        step = 1
        high = low
        while high < n:  # doubling steps, then halving
            at, length = _symbol_at(p, base + positions[high], size)
            if at < 0:
                return i
            order = sg_compare(p, at, length, v, spans[i, 0], spans[i, 1])
            if order >= 0:
                break
            low = high + 1
            high += step
            step *= 2
        if high > n:
            high = n
        while low < high:
            middle = (low + high) // 2
            at, length = _symbol_at(p, base + positions[middle], size)
            if at < 0:
                return i
            if sg_compare(p, at, length, v, spans[i, 0], spans[i, 1]) < 0:
                low = middle + 1
            else:
                high = middle
        if low < n:
            at, length = _symbol_at(p, base + positions[low], size)
            if at >= 0 and sg_compare(p, at, length, v, spans[i, 0], spans[i, 1]) == 0:
                out[i] = low
    return -1


def symbol_ordinals(data, base, positions, values, spans, out):
    """The ordinals of texts among the symbols, -1 for what is none; quick for texts in ascending order.

    Symbol k lies at `base + positions[k]` of `data` and symbols ascend; `spans` int64[n, 2] are (position in `values`,
    length), `out` is int64[n]. Returns -1, or the text at which a symbol was found to leave `data`.
    """
    buf: cython.const[cython.uchar][::1] = memoryview(data if len(data) else b"\0")
    places: cython.const[cython.uint][::1] = memoryview(positions)
    texts: cython.const[cython.uchar][::1] = memoryview(values if len(values) else b"\0")
    rows: cython.const[cython.longlong][:, ::1] = memoryview(spans)
    found: cython.longlong[::1] = memoryview(out)
    p: cython.pointer(cython.const[cython.uchar])
    v: cython.pointer(cython.const[cython.uchar])
    b: cython.Py_ssize_t = base
    i: cython.Py_ssize_t
    bad: cython.Py_ssize_t
    if b < 0 or found.shape[0] < rows.shape[0] or rows.shape[1] != 2:
        raise ValueError("the arrays do not fit one another")
    for i in range(rows.shape[0]):
        if rows[i, 0] < 0 or rows[i, 1] < 0 or rows[i, 0] + rows[i, 1] > texts.shape[0]:
            raise ValueError("a text is outside its buffer")
    if cython.compiled:
        p = cython.address(buf[0])
        v = cython.address(texts[0])
    else:
        p = buf
        v = texts
    with cython.nogil:
        bad = _ordinals(p, buf.shape[0], b, places, v, rows, found)
    return bad


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _slot(
    pair: cython.ulonglong, pairs: cython.const[cython.ulonglong][::1], slots: cython.const[cython.longlong][::1]
) -> cython.Py_ssize_t:
    """The slot that holds a pair, or the free one where it would go."""
    mask: cython.ulonglong = slots.shape[0] - 1
    at: cython.ulonglong = (pair ^ (pair >> 29) ^ (pair >> 47)) & mask
    while slots[at] != 0 and pairs[slots[at] - 1] != pair:
        at = (at + 1) & mask
    return at


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _fill(pairs: cython.const[cython.ulonglong][::1], slots: cython.longlong[::1]) -> cython.Py_ssize_t:
    i: cython.Py_ssize_t
    at: cython.Py_ssize_t
    for i in range(pairs.shape[0]):
        at = _slot(pairs[i], pairs, slots)
        if slots[at] != 0:
            return i
        slots[at] = i + 1
    return -1


def fill_slots(pairs, slots):
    """Make a hash table of the positions of `pairs` uint64[n]: `slots` int64[s], zero, s a power of two above n.

    Returns -1, or the position of a pair that was there before, and then stops.
    """
    known: cython.const[cython.ulonglong][::1] = memoryview(pairs)
    places: cython.longlong[::1] = memoryview(slots)
    bad: cython.Py_ssize_t
    if places.shape[0] <= known.shape[0] or places.shape[0] & (places.shape[0] - 1):
        raise ValueError("the table is too small")
    with cython.nogil:
        bad = _fill(known, places)
    return bad


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _tally(
    label_start: cython.const[cython.longlong][::1],
    refs: cython.const[cython.uint][::1],
    weights: cython.const[cython.ulonglong][::1],
    pairs: cython.const[cython.ulonglong][::1],
    slots: cython.const[cython.longlong][::1],
    counts: cython.longlong[::1],
    sums: cython.ulonglong[::1],
    begin: cython.Py_ssize_t,
) -> cython.Py_ssize_t:
    i: cython.Py_ssize_t
    k: cython.Py_ssize_t
    found: cython.Py_ssize_t
    pair: cython.ulonglong
    for i in range(label_start.shape[0] - 1):
        if label_start[i + 1] <= begin:
            continue
        for k in range(label_start[i] if label_start[i] > begin else begin, label_start[i + 1]):
            pair = (cython.cast(cython.ulonglong, refs[2 * k]) << 32) | refs[2 * k + 1]
            found = slots[_slot(pair, pairs, slots)] - 1
            if found < 0:
                return k
            counts[found] += 1
            if cython.compiled:
                sums[found] += weights[i]
            else:
                sums[found] = (sums[found] + weights[i]) & 0xFFFFFFFFFFFFFFFF
    return -1


def tally_pairs(label_start, label_refs, weights, pairs, slots, counts, sums, begin):
    """Add each series to the `counts` int64[n] and, with its weight, to the `sums` uint64[n] of its label pairs.

    `weights` uint64 has one number per series, `pairs` and `slots` are as for `fill_slots`; labels before `begin` are
    passed over. Returns -1, or the position of a label whose pair is not among `pairs`; go on behind it.
    """
    starts: cython.const[cython.longlong][::1] = memoryview(label_start)
    refs: cython.const[cython.uint][::1] = memoryview(label_refs)
    heavy: cython.const[cython.ulonglong][::1] = memoryview(weights)
    known: cython.const[cython.ulonglong][::1] = memoryview(pairs)
    places: cython.const[cython.longlong][::1] = memoryview(slots)
    numbers: cython.longlong[::1] = memoryview(counts)
    totals: cython.ulonglong[::1] = memoryview(sums)
    first: cython.Py_ssize_t = begin
    bad: cython.Py_ssize_t
    _check_series(starts, refs)
    if heavy.shape[0] < starts.shape[0] - 1 or numbers.shape[0] < known.shape[0] or totals.shape[0] < known.shape[0]:
        raise ValueError("the arrays do not fit one another")
    if places.shape[0] <= known.shape[0] or places.shape[0] & (places.shape[0] - 1):
        raise ValueError("the table is too small")
    with cython.nogil:
        bad = _tally(starts, refs, heavy, known, places, numbers, totals, first)
    return bad


@cython.cfunc
def _check_series(starts: cython.const[cython.longlong][::1], refs: cython.const[cython.uint][::1]) -> cython.bint:
    i: cython.Py_ssize_t
    if starts.shape[0] == 0 or starts[0] < 0 or 2 * starts[starts.shape[0] - 1] > refs.shape[0]:
        raise ValueError("the arrays do not fit one another")
    for i in range(starts.shape[0] - 1):
        if starts[i] > starts[i + 1]:
            raise ValueError("the arrays do not fit one another")
    return True


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _first_unordered(
    label_start: cython.const[cython.longlong][::1],
    refs: cython.const[cython.uint][::1],
    begin: cython.Py_ssize_t,
) -> cython.Py_ssize_t:
    i: cython.Py_ssize_t
    a: cython.Py_ssize_t
    b: cython.Py_ssize_t
    for i in range(begin if begin > 1 else 1, label_start.shape[0] - 1):
        a = 2 * label_start[i - 1]
        b = 2 * label_start[i]
        while a < 2 * label_start[i] and b < 2 * label_start[i + 1] and refs[a] == refs[b]:
            a += 1
            b += 1
        if b == 2 * label_start[i + 1] or (a < 2 * label_start[i] and refs[a] > refs[b]):
            return i
    return -1


def first_unordered(label_start, label_refs, begin):
    """The first series from `begin` on whose labels do not come after those of the series before it, or -1."""
    starts: cython.const[cython.longlong][::1] = memoryview(label_start)
    refs: cython.const[cython.uint][::1] = memoryview(label_refs)
    first: cython.Py_ssize_t = begin
    bad: cython.Py_ssize_t
    _check_series(starts, refs)
    with cython.nogil:
        bad = _first_unordered(starts, refs, first)
    return bad
