"""The one piece of protobuf that is written outside the kernels."""

from __future__ import annotations


def uvarint(value: int) -> bytes:
    """A non-negative number as protobuf writes it."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
