"""Bit streams, most significant bit first, and the variable-width integers of chunks."""

from __future__ import annotations

import struct

from storegate.errors import CorruptError
from storegate.testing.varint import signed64, unzigzag, zigzag

# (prefix, bits of the prefix, bits of the payload), shortest first; the last one holds 64 bits in two's complement.
HISTOGRAM_CLASSES = (
    (0b0, 1, 0),
    (0b10, 2, 3),
    (0b110, 3, 6),
    (0b1110, 4, 9),
    (0b11110, 5, 12),
    (0b111110, 6, 18),
    (0b1111110, 7, 25),
    (0b11111110, 8, 56),
    (0b11111111, 8, 64),
)


def float_bits(value: float) -> int:
    """The 64 bits of a float."""
    return int.from_bytes(struct.pack(">d", value), "big")


def bits_float(bits: int) -> float:
    """The float of 64 bits."""
    return float(struct.unpack(">d", bits.to_bytes(8, "big"))[0])


def fits(value: int, bits: int) -> bool:
    """Whether a signed payload of `bits` holds `value`: -2^(bits-1) + 1 to 2^(bits-1), unlike two's complement."""
    return value == 0 if bits == 0 else -(1 << (bits - 1)) < value <= 1 << (bits - 1)


def from_payload(payload: int, bits: int) -> int:
    """The signed number behind a payload written for `fits`."""
    return payload if bits == 0 or payload <= 1 << (bits - 1) else payload - (1 << bits)


class BitWriter:
    """Collects bits; `finish` pads the last byte with zeros."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._pending = 0
        self._count = 0

    def write(self, value: int, bits: int) -> None:
        """The low `bits` bits of `value`."""
        self._pending = self._pending << bits | value & ((1 << bits) - 1)
        self._count += bits
        whole, self._count = divmod(self._count, 8)
        if whole:
            self._done += (self._pending >> self._count).to_bytes(whole, "big")
            self._pending &= (1 << self._count) - 1

    def write_uvarint(self, value: int) -> None:
        while value >= 0x80:
            self.write(value & 0x7F | 0x80, 8)
            value >>= 7
        self.write(value, 8)

    def write_varint(self, value: int) -> None:
        self.write_uvarint(zigzag(value))

    def write_vbi(self, value: int) -> None:
        """A signed histogram integer."""
        value = signed64(value)
        for prefix, prefix_bits, bits in HISTOGRAM_CLASSES:
            if bits == 64 or fits(value, bits):
                self.write(prefix, prefix_bits)
                self.write(value, bits)
                return

    def write_vbu(self, value: int) -> None:
        """An unsigned histogram integer."""
        for prefix, prefix_bits, bits in HISTOGRAM_CLASSES:
            if value >> bits == 0:
                self.write(prefix, prefix_bits)
                self.write(value, bits)
                return

    def finish(self) -> bytes:
        tail = bytes([self._pending << (8 - self._count) & 0xFF]) if self._count else b""
        return bytes(self._done) + tail


class BitReader:
    """Reads bits of `data` from byte `start` on. Raises CorruptError where the data ends too early."""

    def __init__(self, data: bytes, start: int = 0) -> None:
        self._data = data
        self._position = start * 8

    def read(self, bits: int) -> int:
        begin, end = self._position, self._position + bits
        if end > len(self._data) * 8:
            raise CorruptError("the chunk ends before its last sample", offset=begin // 8)
        self._position = end
        window = int.from_bytes(self._data[begin // 8 : (end + 7) // 8], "big")
        return window >> (-end % 8) & ((1 << bits) - 1)

    def remaining(self) -> int:
        """Bits that are left, padding included."""
        return len(self._data) * 8 - self._position

    def ones(self, most: int) -> int:
        """How many 1 bits follow, up to `most`; a 0 bit before that is consumed too."""
        count = 0
        while count < most and self.read(1):
            count += 1
        return count

    def read_uvarint(self) -> int:
        value = 0
        for count in range(10):
            byte = self.read(8)
            value |= (byte & 0x7F) << (7 * count)
            if byte < 0x80:
                if count == 9 and byte > 1:
                    raise CorruptError("a varint is larger than 64 bits", offset=self._position // 8)
                return value
        raise CorruptError("a varint is longer than 10 bytes", offset=self._position // 8)

    def read_varint(self) -> int:
        return unzigzag(self.read_uvarint())

    def read_vbi(self) -> int:
        bits = HISTOGRAM_CLASSES[self.ones(8)][2]
        payload = self.read(bits)
        return signed64(payload) if bits == 64 else from_payload(payload, bits)

    def read_vbu(self) -> int:
        return self.read(HISTOGRAM_CLASSES[self.ones(8)][2])
