"""Variable-length integers of byte buffers (Go's encoding/binary), checked on input."""

from __future__ import annotations

from storegate.errors import CorruptError

MASK64 = (1 << 64) - 1


def signed64(value: int) -> int:
    """`value` modulo 2^64, read as two's complement."""
    value &= MASK64
    return value - (1 << 64) if value >> 63 else value


def zigzag(value: int) -> int:
    """The unsigned form in which `varint` stores a signed number (taken modulo 2^64)."""
    value = signed64(value)
    return (value << 1) ^ (value >> 63) if value >= 0 else ((-value) << 1) - 1


def unzigzag(value: int) -> int:
    """The signed number behind a zig-zag form."""
    return (value >> 1) ^ -(value & 1)


def put_uvarint(value: int) -> bytes:
    """`value` modulo 2^64 in 1 to 10 bytes."""
    value &= MASK64
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def put_varint(value: int) -> bytes:
    """`value` in zig-zag form."""
    return put_uvarint(zigzag(value))


def read_uvarint(data: bytes, position: int, end: int | None = None) -> tuple[int, int]:
    """The number at `position` and the position behind it. Raises CorruptError: over 64 bits, or past `end`."""
    end = len(data) if end is None else end
    value = 0
    for count in range(10):
        if position >= end:
            raise CorruptError("the data ends inside a varint", offset=position)
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            if count == 9 and byte > 1:
                raise CorruptError("a varint is larger than 64 bits", offset=position)
            return value, position
    raise CorruptError("a varint is longer than 10 bytes", offset=position)


def read_varint(data: bytes, position: int, end: int | None = None) -> tuple[int, int]:
    """The zig-zag number at `position` and the position behind it."""
    value, position = read_uvarint(data, position, end)
    return unzigzag(value), position
