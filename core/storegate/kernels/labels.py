# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Encoded label sets: build them from symbols, compare, sort and shard them.

A label set is the `labels` part of a `Series` message: for each label, in name order, the byte 0A, a length, and a
`Label` message (0A name, 12 value; an empty value is left out). Label sets lie end to end in an arena; set i is
`arena[starts[i]:starts[i + 1]]`. A symbol of the index is already length and bytes, which is what a protobuf string
field holds, so symbols are copied as they are.
"""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython


if cython.compiled:
    from cython.cimports.storegate.kernels.hashing import xxh64_at
    from cython.cimports.storegate.kernels.wire import sg_compare, sg_copy, sg_copy_padded
else:
    from storegate.kernels.hashing import xxh64 as _xxh64
    from storegate.kernels.wire import sg_compare, sg_copy, sg_copy_padded

    def xxh64_at(p, pos, length):
        return _xxh64(bytes(p[pos : pos + length]))


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _uvarint(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t
) -> tuple[cython.Py_ssize_t, cython.Py_ssize_t]:
    """Value and the position behind it, of a varint that was checked or written before (a length below 2^35)."""
    value: cython.Py_ssize_t = p[pos]
    shift: cython.int = 7
    byte: cython.Py_ssize_t
    pos += 1
    if value < 0x80:
        return value, pos
    value &= 0x7F
    while shift <= 28:
        byte = p[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, pos


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _symbol(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t, end: cython.Py_ssize_t
) -> tuple[cython.Py_ssize_t, cython.Py_ssize_t]:
    """Length of the symbol at `pos` and where its text begins; -1 when it goes past `end`."""
    value: cython.Py_ssize_t = 0
    shift: cython.int = 0
    byte: cython.Py_ssize_t
    while pos < end and shift <= 28:
        byte = p[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos if value <= end - pos else -1
        shift += 7
    return 0, -1


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _put(o: cython.pointer(cython.uchar), pos: cython.Py_ssize_t, value: cython.Py_ssize_t) -> cython.Py_ssize_t:
    while value >= 0x80:
        o[pos] = (value & 0x7F) | 0x80
        value >>= 7
        pos += 1
    o[pos] = value
    return pos + 1


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _encode(
    p: cython.pointer(cython.const[cython.uchar]),
    end: cython.Py_ssize_t,
    symbols: cython.const[cython.uint][::1],
    base: cython.Py_ssize_t,
    label_start: cython.const[cython.longlong][::1],
    refs: cython.const[cython.uint][::1],
    dropped: cython.const[cython.longlong][::1],
    ext_bound: cython.const[cython.longlong][::1],
    e: cython.pointer(cython.const[cython.uchar]),
    ext_start: cython.const[cython.longlong][::1],
    starts: cython.longlong[::1],
    o: cython.pointer(cython.uchar),
    room: cython.Py_ssize_t,
    done: cython.Py_ssize_t,
) -> cython.Py_ssize_t:
    """Write label sets from `done` on; the first that does not fit, the number of all, or -1: a symbol is cut off."""
    i: cython.Py_ssize_t
    k: cython.Py_ssize_t
    d: cython.Py_ssize_t
    x: cython.Py_ssize_t
    pos: cython.Py_ssize_t = starts[done]
    name_ref: cython.longlong
    name: cython.Py_ssize_t
    name_len: cython.Py_ssize_t
    value: cython.Py_ssize_t
    value_len: cython.Py_ssize_t
    after: cython.Py_ssize_t
    body: cython.Py_ssize_t
    exts: cython.Py_ssize_t = ext_bound.shape[0]
    ext_size: cython.Py_ssize_t = ext_start[exts]
    for i in range(done, label_start.shape[0] - 1):
        if ext_size > room - pos:
            return i
        room -= ext_size  # kept back for the external labels of this set
        x = 0
        for k in range(label_start[i], label_start[i + 1]):
            name_ref = refs[2 * k]
            d = 0
            while d < dropped.shape[0] and dropped[d] != name_ref:
                d += 1
            while x < exts and ext_bound[x] <= name_ref:
                room += ext_start[x + 1] - ext_start[x]
                pos = sg_copy(o, pos, e, ext_start[x], ext_start[x + 1] - ext_start[x])
                x += 1
            if d < dropped.shape[0]:
                continue
            name = base + symbols[name_ref]
            name_len, after = _symbol(p, name, end)
            if after < 0:
                return -1
            name_len += after - name
            value = base + symbols[refs[2 * k + 1]]
            value_len, after = _symbol(p, value, end)
            if after < 0:
                return -1
            body = 1 + name_len
            if value_len > 0:
                value_len += after - value
                body += 1 + value_len
            if body + 6 > room - pos:  # a tag and a length of five bytes at most
                return i
            o[pos] = 0x0A
            pos = _put(o, pos + 1, body)
            o[pos] = 0x0A
            pos = sg_copy_padded(o, pos + 1, room, p, name, end, name_len)
            if value_len > 0:
                o[pos] = 0x12
                pos = sg_copy_padded(o, pos + 1, room, p, value, end, value_len)
        while x < exts:
            room += ext_start[x + 1] - ext_start[x]
            pos = sg_copy(o, pos, e, ext_start[x], ext_start[x + 1] - ext_start[x])
            x += 1
        starts[i + 1] = pos
    return label_start.shape[0] - 1


def encode_labels(
    data, symbols, base, label_start, label_refs, dropped, ext_bound, ext_fields, ext_start, arena, starts, done
):
    """Encode label sets from symbol ordinals, with external labels put in and names left out, into an arena.

    `data` holds the symbols, number k at `base + symbols[k]` (uint32); `label_start` int64[n + 1] counts pairs in
    `label_refs` uint32[2 * labels] of ordinals (name, value), ascending by name. `dropped` int64: name ordinals to
    leave out (a colliding name is one of them). External label x (`ext_fields[ext_start[x]:ext_start[x + 1]]`, encoded)
    stands before the first name ordinal >= `ext_bound[x]`. Set i goes to `arena[starts[i]:starts[i + 1]]` (uint8,
    int64[n + 1]); `starts[done]` says where set `done`, the first to encode, begins. Returns how many sets are encoded:
    fewer than n when the arena is full, so go on with a larger one.
    """
    buf: cython.const[cython.uchar][::1] = memoryview(data)
    sym: cython.const[cython.uint][::1] = memoryview(symbols)
    first: cython.const[cython.longlong][::1] = memoryview(label_start)
    refs: cython.const[cython.uint][::1] = memoryview(label_refs)
    drop: cython.const[cython.longlong][::1] = memoryview(dropped)
    bound: cython.const[cython.longlong][::1] = memoryview(ext_bound)
    fields: cython.const[cython.uchar][::1] = memoryview(ext_fields if len(ext_fields) else b"\0")
    field_start: cython.const[cython.longlong][::1] = memoryview(ext_start)
    begin: cython.longlong[::1] = memoryview(starts)
    room: cython.Py_ssize_t = len(arena)
    target: cython.uchar[::1] = memoryview(arena if room else bytearray(1))
    p: cython.pointer(cython.const[cython.uchar])
    e: cython.pointer(cython.const[cython.uchar])
    o: cython.pointer(cython.uchar)
    b: cython.Py_ssize_t = base
    k: cython.Py_ssize_t
    i: cython.Py_ssize_t = done
    n: cython.Py_ssize_t = first.shape[0] - 1
    if begin.shape[0] != n + 1 or field_start.shape[0] != bound.shape[0] + 1 or not 0 <= i <= n:
        raise ValueError("the arrays do not fit one another")
    if 2 * first[n] > refs.shape[0] or field_start[bound.shape[0]] > fields.shape[0] or not 0 <= begin[i] <= room:
        raise ValueError("a start is outside its array")
    for k in range(refs.shape[0]):
        if refs[k] >= cython.cast(cython.uint, sym.shape[0]):
            raise ValueError("a symbol ref is out of bounds")
    if cython.compiled:
        p = cython.address(buf[0])
        e = cython.address(fields[0])
        o = cython.address(target[0])
    else:
        p = buf
        e = fields
        o = target
    with cython.nogil:
        i = _encode(p, buf.shape[0], sym, b, first, refs, drop, bound, e, field_start, begin, o, room, i)
    if i < 0:
        raise ValueError("a symbol goes past the end of the buffer")
    return i


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def compare_at(
    p: cython.pointer(cython.const[cython.uchar]),
    a: cython.Py_ssize_t,
    a_end: cython.Py_ssize_t,
    b: cython.Py_ssize_t,
    b_end: cython.Py_ssize_t,
) -> cython.int:
    """-1, 0 or 1 as the label set p[a:a_end] sorts before, like or after p[b:b_end]: by name, value, fewer labels."""
    length: cython.Py_ssize_t
    a_stop: cython.Py_ssize_t
    b_stop: cython.Py_ssize_t
    an: cython.Py_ssize_t
    bn: cython.Py_ssize_t
    al: cython.Py_ssize_t
    bl: cython.Py_ssize_t
    order: cython.int
    if a_end - a == b_end - b and sg_compare(p, a, a_end - a, p, b, b_end - b) == 0:
        return 0
    while a < a_end and b < b_end:
        length, an = _uvarint(p, a + 1)
        a_stop = an + length
        length, bn = _uvarint(p, b + 1)
        b_stop = bn + length
        if a_stop - a == b_stop - b and sg_compare(p, a, a_stop - a, p, b, b_stop - b) == 0:
            a = a_stop
            b = b_stop
            continue
        al, an = _uvarint(p, an + 1)
        bl, bn = _uvarint(p, bn + 1)
        order = sg_compare(p, an, al, p, bn, bl)
        if order != 0:
            return order
        an += al
        bn += bl
        al = 0
        bl = 0
        if an < a_stop:
            al, an = _uvarint(p, an + 1)
        if bn < b_stop:
            bl, bn = _uvarint(p, bn + 1)
        return sg_compare(p, an, al, p, bn, bl)
    return 0 if a == a_end and b == b_end else (-1 if a == a_end else 1)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _keeps_order(
    label_start: cython.const[cython.longlong][::1],
    refs: cython.const[cython.uint][::1],
    last_bound: cython.longlong,
) -> cython.bint:
    i: cython.Py_ssize_t
    a: cython.Py_ssize_t
    b: cython.Py_ssize_t
    for i in range(label_start.shape[0] - 2):
        a = 2 * label_start[i]
        b = 2 * label_start[i + 1]
        while a < 2 * label_start[i + 1] and b < 2 * label_start[i + 2] and refs[a] == refs[b]:
            a += 1
            b += 1
        if b == 2 * label_start[i + 2]:
            return False
        if a == 2 * label_start[i + 1]:
            # The first set ends where the second goes on: an external label behind that place turns the two round.
            if last_bound > refs[b]:
                return False
        elif refs[a] > refs[b]:
            return False
    return True


def keeps_order(label_start, label_refs, ext_bound):
    """Whether label sets ascend strictly as ordinals, and go on doing so with external labels put in.

    Arguments as for `encode_labels`, without dropped names. False may also mean that it is not plain to see.
    """
    first: cython.const[cython.longlong][::1] = memoryview(label_start)
    refs: cython.const[cython.uint][::1] = memoryview(label_refs)
    bound: cython.const[cython.longlong][::1] = memoryview(ext_bound)
    last: cython.longlong = -1
    i: cython.Py_ssize_t
    kept: cython.bint
    for i in range(first.shape[0] - 1):
        if not 0 <= first[i] <= first[i + 1]:
            raise ValueError("the starts do not ascend")
    if 2 * first[first.shape[0] - 1] > refs.shape[0]:
        raise ValueError("a start is outside its array")
    for i in range(bound.shape[0]):
        last = max(last, bound[i])
    with cython.nogil:
        kept = _keeps_order(first, refs, last)
    return kept


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _first_unsorted(
    p: cython.pointer(cython.const[cython.uchar]), starts: cython.const[cython.longlong][::1]
) -> cython.Py_ssize_t:
    i: cython.Py_ssize_t
    for i in range(starts.shape[0] - 2):
        if compare_at(p, starts[i], starts[i + 1], starts[i + 1], starts[i + 2]) > 0:
            return i + 1
    return -1


def first_unsorted(arena, starts):
    """Index of the first label set that sorts before its predecessor, -1 when all are in order."""
    buf: cython.const[cython.uchar][::1] = memoryview(arena)
    first: cython.const[cython.longlong][::1] = memoryview(starts)
    p: cython.pointer(cython.const[cython.uchar])
    found: cython.Py_ssize_t
    if buf.shape[0] == 0 or first.shape[0] < 3:
        return -1
    if first[first.shape[0] - 1] > buf.shape[0]:
        raise ValueError("a start is outside the arena")
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        found = _first_unsorted(p, first)
    return found


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _sort(
    p: cython.pointer(cython.const[cython.uchar]),
    starts: cython.const[cython.longlong][::1],
    order: cython.longlong[::1],
    spare: cython.longlong[::1],
) -> cython.int:
    """Stable merge sort, bottom up. Returns 1 if the result is in spare."""
    n: cython.Py_ssize_t = order.shape[0]
    width: cython.Py_ssize_t = 1
    low: cython.Py_ssize_t
    middle: cython.Py_ssize_t
    high: cython.Py_ssize_t
    i: cython.Py_ssize_t
    j: cython.Py_ssize_t
    k: cython.Py_ssize_t
    swapped: cython.int = 0
    source: cython.longlong[::1] = order
    target: cython.longlong[::1] = spare
    keep: cython.longlong[::1]
    while width < n:
        low = 0
        while low < n:
            middle = low + width if low + width < n else n
            high = low + 2 * width if low + 2 * width < n else n
            i = low
            j = middle
            k = low
            while i < middle and j < high:
                if (
                    compare_at(p, starts[source[i]], starts[source[i] + 1], starts[source[j]], starts[source[j] + 1])
                    <= 0
                ):
                    target[k] = source[i]
                    i += 1
                else:
                    target[k] = source[j]
                    j += 1
                k += 1
            while i < middle:
                target[k] = source[i]
                i += 1
                k += 1
            while j < high:
                target[k] = source[j]
                j += 1
                k += 1
            low = high
        keep = source
        source = target
        target = keep
        swapped = 1 - swapped
        width *= 2
    return swapped


def sort_labels(arena, starts, order, spare):
    """Sort the indexes `order` (int64[n], in place) by their label sets, stably; `spare` is int64[n] to work in."""
    buf: cython.const[cython.uchar][::1] = memoryview(arena)
    first: cython.const[cython.longlong][::1] = memoryview(starts)
    index: cython.longlong[::1] = memoryview(order)
    other: cython.longlong[::1] = memoryview(spare)
    p: cython.pointer(cython.const[cython.uchar])
    i: cython.Py_ssize_t
    swapped: cython.int
    if index.shape[0] < 2 or buf.shape[0] == 0:
        return
    if other.shape[0] != index.shape[0] or first[first.shape[0] - 1] > buf.shape[0]:
        raise ValueError("the arrays do not fit one another")
    for i in range(index.shape[0]):
        if not 0 <= index[i] < first.shape[0] - 1:
            raise ValueError("an index is out of bounds")
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        swapped = _sort(p, first, index, other)
    if swapped:
        index[:] = other


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _shard(
    p: cython.pointer(cython.const[cython.uchar]),
    starts: cython.const[cython.longlong][::1],
    names: cython.pointer(cython.const[cython.uchar]),
    name_start: cython.const[cython.longlong][::1],
    by: cython.bint,
    total: cython.ulonglong,
    index: cython.ulonglong,
    scratch: cython.pointer(cython.uchar),
    keep: cython.uchar[::1],
) -> cython.int:
    i: cython.Py_ssize_t
    k: cython.Py_ssize_t
    n: cython.Py_ssize_t
    pos: cython.Py_ssize_t
    stop: cython.Py_ssize_t
    length: cython.Py_ssize_t
    at: cython.Py_ssize_t
    name_len: cython.Py_ssize_t
    listed: cython.bint
    for i in range(keep.shape[0]):
        pos = starts[i]
        n = 0
        while pos < starts[i + 1]:
            length, at = _uvarint(p, pos + 1)
            stop = at + length
            name_len, at = _uvarint(p, at + 1)
            listed = False
            for k in range(name_start.shape[0] - 1):
                length = name_start[k + 1] - name_start[k]
                if length == name_len:
                    pos = 0
                    while pos < length and names[name_start[k] + pos] == p[at + pos]:
                        pos += 1
                    if pos == length:
                        listed = True
                        break
            if listed == by:
                n = sg_copy(scratch, n, p, at, name_len)
                scratch[n] = 0xFF
                n += 1
                at += name_len
                if at < stop:
                    length, at = _uvarint(p, at + 1)
                    n = sg_copy(scratch, n, p, at, length)
                scratch[n] = 0xFF
                n += 1
            pos = stop
        keep[i] = xxh64_at(scratch, 0, n) % total == index
    return 0


def shard_mask(arena, starts, names, name_start, by, total, index, keep):
    """Set `keep` (uint8[n]) to 1 for the label sets of shard `index` of `total` (StoreAPI 4.4).

    `names` are the listed label names end to end, cut by `name_start` int64[k + 1]; `by` hashes the listed labels,
    otherwise all others. `index` is not negative, `total` at least 1.
    """
    buf: cython.const[cython.uchar][::1] = memoryview(arena if len(arena) else b"\0")
    first: cython.const[cython.longlong][::1] = memoryview(starts)
    listed: cython.const[cython.uchar][::1] = memoryview(names if len(names) else b"\0")
    cuts: cython.const[cython.longlong][::1] = memoryview(name_start)
    mask: cython.uchar[::1] = memoryview(keep)
    i: cython.Py_ssize_t
    longest: cython.Py_ssize_t = 1
    if first.shape[0] != mask.shape[0] + 1 or first[mask.shape[0]] > len(arena) or cuts[cuts.shape[0] - 1] > len(names):
        raise ValueError("the arrays do not fit one another")
    for i in range(mask.shape[0]):
        longest = max(longest, first[i + 1] - first[i])
    space: cython.uchar[::1] = memoryview(bytearray(longest))
    p: cython.pointer(cython.const[cython.uchar])
    q: cython.pointer(cython.const[cython.uchar])
    s: cython.pointer(cython.uchar)
    choose: cython.bint = by
    shards: cython.ulonglong = total
    mine: cython.ulonglong = index
    if cython.compiled:
        p = cython.address(buf[0])
        q = cython.address(listed[0])
        s = cython.address(space[0])
    else:
        p = buf
        q = listed
        s = space
    with cython.nogil:
        _shard(p, first, q, cuts, choose, shards, mine, s, mask)
