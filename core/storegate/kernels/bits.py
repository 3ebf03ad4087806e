"""Plain forms of the C helpers in `bits.pxd`: bits of a buffer, most significant first; varints and floats."""

from __future__ import annotations

import struct


def sg_peek(p, n, at):
    """64 bits from bit `at` on, zeros for those past `n` bytes."""
    first = at >> 3
    window = int.from_bytes(bytes(p[first : min(first + 9, n)]).ljust(9, b"\0"), "big")
    return window >> (8 - (at & 7)) & 0xFFFFFFFFFFFFFFFF


def sg_leading_ones(v):
    """How many 1 bits the 64 bits begin with."""
    return sg_leading_zeros(v ^ 0xFFFFFFFFFFFFFFFF)


def sg_leading_zeros(v):
    """How many 0 bits the 64 bits begin with."""
    return 64 - v.bit_length()


def sg_trailing_zeros(v):
    """How many 0 bits the 64 bits end with."""
    return (v & -v).bit_length() - 1 if v else 64


def sg_put_bits(o, at, v, bits):
    """Append the low `bits` bits of v at bit `at`, in a buffer that is zero from there on; the position behind them."""
    v &= (1 << bits) - 1
    while bits > 0:
        room = 8 - (at & 7)
        take = min(room, bits)
        o[at >> 3] |= (v >> (bits - take) & 0xFF) << (room - take)
        v &= (1 << (bits - take)) - 1
        at += take
        bits -= take
    return at


def sg_as_double(v):
    """The float of 64 bits."""
    return struct.unpack("<d", v.to_bytes(8, "little"))[0]


def sg_as_bits(d):
    """The 64 bits of a float."""
    return int.from_bytes(struct.pack("<d", d), "little")


def sg_put_varint(o, pos, v):
    """Write a varint; the position behind it."""
    while v >= 0x80:
        o[pos] = v & 0x7F | 0x80
        v >>= 7
        pos += 1
    o[pos] = v
    return pos + 1


def sg_put_fixed64(o, pos, v):
    """Write 8 bytes, least significant first; the position behind them."""
    o[pos : pos + 8] = v.to_bytes(8, "little")
    return pos + 8
