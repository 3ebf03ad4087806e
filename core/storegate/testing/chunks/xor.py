"""XOR chunks: float samples as `(t, value)`, t in ms (TSDB chunk encoding 1)."""

from __future__ import annotations

from collections.abc import Sequence

from storegate.errors import CorruptError
from storegate.testing.chunks.bits import BitReader, BitWriter, bits_float, fits, float_bits, from_payload
from storegate.testing.varint import MASK64, signed64

STALE = bits_float(0x7FF0000000000002)
"""The NaN that marks the end of a series."""

# (prefix, bits of the prefix, bits of the payload) of a timestamp's delta of deltas
_TIME_CLASSES = ((0b0, 1, 0), (0b10, 2, 14), (0b110, 3, 17), (0b1110, 4, 20), (0b1111, 4, 64))


class ValueWriter:
    """Writes one float after another as the XOR with its predecessor."""

    def __init__(self, out: BitWriter) -> None:
        self._out = out
        self._previous = 0
        self._leading = 0
        self._trailing = -1  # no window yet

    def first(self, value: float) -> None:
        self._previous = float_bits(value)
        self._out.write(self._previous, 64)

    def next(self, value: float) -> None:
        bits = float_bits(value)
        xor, self._previous = bits ^ self._previous, bits
        if xor == 0:
            self._out.write(0, 1)
            return
        leading = min(64 - xor.bit_length(), 31)
        trailing = (xor & -xor).bit_length() - 1
        if self._trailing >= 0 and leading >= self._leading and trailing >= self._trailing:
            self._out.write(0b10, 2)
        else:
            self._leading, self._trailing = leading, trailing
            self._out.write(0b11, 2)
            self._out.write(leading, 5)
            self._out.write(64 - leading - trailing, 6)  # 64 does not fit and becomes 0
        self._out.write(xor >> self._trailing, 64 - self._leading - self._trailing)


class ValueReader:
    """Reads what ValueWriter wrote."""

    def __init__(self, source: BitReader) -> None:
        self._source = source
        self._bits = 0
        self._significant = 0
        self._trailing = -1

    def first(self) -> float:
        self._bits = self._source.read(64)
        return bits_float(self._bits)

    def next(self) -> float:
        match self._source.ones(2):
            case 0:
                return bits_float(self._bits)
            case 2:
                leading = self._source.read(5)
                self._significant = self._source.read(6) or 64
                self._trailing = 64 - leading - self._significant
                if self._trailing < 0:
                    raise CorruptError(f"{leading} leading and {self._significant} significant bits exceed 64")
        if self._trailing < 0:
            raise CorruptError("a value reuses a bit window before there is one")
        self._bits ^= self._source.read(self._significant) << self._trailing
        return bits_float(self._bits)


def encode_xor(samples: Sequence[tuple[int, float]]) -> bytes:
    """The data of a chunk with 1 to 65535 samples."""
    out = BitWriter()
    out.write(len(samples), 16)
    values = ValueWriter(out)
    time, delta = 0, 0
    for index, (t, value) in enumerate(samples):
        if index == 0:
            out.write_varint(t)
            values.first(value)
        elif index == 1:
            delta = t - time & MASK64
            out.write_uvarint(delta)
            values.next(value)
        else:
            change = signed64(t - time - delta)
            _write_time_change(out, change)
            delta = t - time & MASK64
            values.next(value)
        time = t
    return out.finish()


def _write_time_change(out: BitWriter, change: int) -> None:
    for prefix, prefix_bits, bits in _TIME_CLASSES:
        if bits == 64 or fits(change, bits):
            out.write(prefix, prefix_bits)
            out.write(change, bits)
            return


def decode_xor(data: bytes) -> list[tuple[int, float]]:
    """The samples of a chunk. Raises CorruptError."""
    source = BitReader(data)
    values = ValueReader(source)
    samples: list[tuple[int, float]] = []
    time, delta = 0, 0
    for index in range(source.read(16)):
        if index == 0:
            time = source.read_varint()
            samples.append((time, values.first()))
            continue
        if index == 1:
            delta = source.read_uvarint()
        else:
            bits = _TIME_CLASSES[source.ones(4)][2]
            payload = source.read(bits)
            delta += signed64(payload) if bits == 64 else from_payload(payload, bits)
        time = signed64(time + delta)
        samples.append((time, values.next()))
    return samples
