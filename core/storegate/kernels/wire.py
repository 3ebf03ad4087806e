"""Plain forms of the C helpers in `wire.pxd`: the size of a varint, a copy, and a comparison of bytes."""

from __future__ import annotations


def sg_varint_size(v):
    """Bytes that `v` takes as a varint."""
    return max(1, (v.bit_length() + 6) // 7)


def sg_copy(o, to, p, at, n):
    """Copy p[at:at + n] to o[to:], and return the position behind it."""
    o[to : to + n] = p[at : at + n]
    return to + n


def sg_copy_padded(o, to, room, p, at, end, n):
    """Like `sg_copy`; the compiled form touches bytes behind the copy, up to `end` and `room`."""
    return sg_copy(o, to, p, at, n)


def sg_compare(p, a, a_len, q, b, b_len):
    """-1, 0 or 1 as the bytes at p[a] sort before, like or after those at q[b]."""
    x, y = bytes(p[a : a + a_len]), bytes(q[b : b + b_len])
    return (x > y) - (x < y)
