"""Writes chunk segment files and hands out chunk references."""

from __future__ import annotations

import struct
from collections.abc import Callable

from storegate.testing.chunks import RawChunk
from storegate.testing.crc32c import crc32c
from storegate.testing.index_writer import ChunkEntry
from storegate.testing.varint import put_uvarint

HEADER = bytes.fromhex("85bd40dd01000000")


def chunk_entry(encoding: int, data: bytes) -> bytes:
    """A chunk as it lies in a segment: length, encoding, data, checksum."""
    body = bytes([encoding]) + data
    return put_uvarint(len(data)) + body + struct.pack(">I", crc32c(body))


class SegmentWriter:
    """Collects chunks; a segment ends before the chunk that would make it larger than `size` bytes."""

    def __init__(self, put: Callable[[str, bytes], None], size: int) -> None:
        self._put = put
        self._limit = size
        self._position = 0
        self._buffer = bytearray()

    def add(self, chunk: RawChunk) -> ChunkEntry:
        """Append a chunk; its entry for the index."""
        entry = chunk_entry(chunk.encoding, chunk.data)
        if len(self._buffer) > len(HEADER) and len(self._buffer) + len(entry) > self._limit:
            self.close()
            self._position += 1
        if not self._buffer:
            self._buffer += HEADER
        ref = self._position << 32 | len(self._buffer)
        self._buffer += entry
        return ChunkEntry(chunk.min_time, chunk.max_time, ref)

    def close(self) -> None:
        """Write the segment that is open, if any."""
        if self._buffer:
            self._put(f"chunks/{self._position + 1:06}", bytes(self._buffer))
            self._buffer = bytearray()
