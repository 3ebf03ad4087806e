"""One snappy block, compressed piece by piece.

A block is its unpacked length and a run of elements; an element copies only from what was unpacked before it, so the
elements of pieces that were compressed on their own can stand behind one another.
"""

from __future__ import annotations

import cramjam

from storegate.errors import LimitError

LONGEST = 2**32 - 1
"""Bytes that a block can unpack to."""


class SnappyBlock:
    """Collects pieces; only their compressed form is held."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes that the pieces unpack to."""
        self._elements: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Append bytes that are still to be compressed."""
        if not piece:
            return
        compressed = memoryview(cramjam.snappy.compress_raw(piece))
        self._elements.append(bytes(compressed[len(uvarint(len(piece))) :]))
        self.size += len(piece)

    def join(self, other: SnappyBlock) -> None:
        """Append all pieces of another block."""
        self._elements += other._elements
        self.size += other.size

    def finish(self) -> list[bytes]:
        """The block, in pieces. Raises LimitError when the format cannot hold it."""
        if self.size > LONGEST:
            raise LimitError(
                f"the answer has {self.size} bytes, and the format ends at {LONGEST}: ask for less, or for streamed"
                " chunks",
                limit="bytes",
                allowed=LONGEST,
                reached=self.size,
            )
        return [uvarint(self.size), *self._elements]


def uvarint(value: int) -> bytes:
    """A non-negative number as snappy and protobuf write it."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
