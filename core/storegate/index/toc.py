"""Fixed-size parts of a TSDB index: the file header and the table of contents (versions 1 and 2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from storegate.errors import CorruptError
from storegate.kernels.hashing import crc32c

INDEX_MAGIC = 0xBAAAD700
TOC_SIZE = 52
HEADER_SIZE = 5


@dataclass(frozen=True, slots=True)
class TOC:
    """Byte offsets of the sections in the index file. Obsolete sections are kept for the end of the last list."""

    symbols: int
    series: int
    label_indices: int
    label_offset_table: int
    postings: int
    postings_offset_table: int

    @property
    def postings_end(self) -> int:
        """Where the last postings list (with its checksum) ends, for writers with and without a label offset table."""
        if self.postings < self.label_offset_table < self.postings_offset_table:
            return self.label_offset_table
        return self.postings_offset_table


def parse_index_version(data: bytes, name: str) -> int:
    """Version 1 or 2 from the first five bytes of an index."""
    if len(data) < HEADER_SIZE or int.from_bytes(data[:4], "big") != INDEX_MAGIC:
        raise CorruptError("not a TSDB index: the magic number is missing", object=name, offset=0)
    if data[4] not in (1, 2):
        raise CorruptError(f"index version {data[4]} is not supported, only 1 and 2 are", object=name, offset=4)
    return data[4]


def parse_toc(tail: bytes, size: int, name: str) -> TOC:
    """The table of contents from the last 52 bytes of an index of `size` bytes, checked."""
    body, stored = tail[:-4], int.from_bytes(tail[-4:], "big")
    if len(tail) != TOC_SIZE or crc32c(body) != stored:
        raise CorruptError("the checksum of the table of contents does not match", object=name, offset=size - TOC_SIZE)
    toc = TOC(*struct.unpack(">6Q", body))
    if not HEADER_SIZE <= toc.symbols < toc.series <= toc.postings <= toc.postings_offset_table <= size - TOC_SIZE - 12:
        raise CorruptError("the table of contents points outside the file", object=name, offset=size - TOC_SIZE)
    return toc
