"""An open index-header: symbols, label names and values, and where each postings list lies in the index."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storegate.errors import CorruptError
from storegate.index.build import HEADER_MAGIC, HEADER_PREFIX, HEADER_TOC_SIZE, HEADER_VERSION, build_index_header
from storegate.index.build import check_section as _check_section
from storegate.index.postings_table import PostingsTable, PostingsTableV1, PostingsTableV2, Values
from storegate.index.symbols import Symbols
from storegate.index.toc import TOC_SIZE, parse_toc
from storegate.kernels.hashing import crc32c

__all__ = ["IndexHeader", "Values", "build_index_header"]


@dataclass(slots=True)
class IndexHeader:
    """A checked, immutable index-header (Thanos index-header, version 1). Thread-safe until `close`.

    `version` is that of the index (1 or 2). `series` is the byte range of its series section, `scale` what a ref is
    multiplied by to get a byte offset. `identity` is a short text that changes with the index: with its checksums and
    section offsets, and with the time at which the object was `modified` (ms), where the opener knows it.
    """

    name: str
    version: int
    symbols: Symbols
    postings: PostingsTable
    series: tuple[int, int]
    postings_range: tuple[int, int]
    scale: int
    identity: str
    _data: memoryview
    _map: mmap.mmap | None

    @classmethod
    def open(cls, path: Path, *, sampling: int = 32, modified: int | None = None) -> IndexHeader:
        """Map a file and check it whole. Raises CorruptError; OSError when it cannot be read."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            size = os.fstat(descriptor).st_size
            if size < HEADER_PREFIX + HEADER_TOC_SIZE:
                raise CorruptError("the index-header is too short", object=str(path))
            mapped = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        try:
            return cls._parse(memoryview(mapped), str(path), sampling, modified, mapped)
        except CorruptError:
            mapped = None  # type: ignore[assignment]  # views in the traceback keep it; the collector closes it
            raise

    @classmethod
    def from_bytes(
        cls, data: bytes, *, name: str = "index-header", sampling: int = 32, modified: int | None = None
    ) -> IndexHeader:
        """The same over bytes in memory."""
        if len(data) < HEADER_PREFIX + HEADER_TOC_SIZE:
            raise CorruptError("the index-header is too short", object=name)
        return cls._parse(memoryview(data), name, sampling, modified, None)

    @classmethod
    def _parse(
        cls, data: memoryview, name: str, sampling: int, modified: int | None, mapped: mmap.mmap | None
    ) -> IndexHeader:
        size = len(data)
        magic, own_version, version, table_in_index = struct.unpack(">IBBQ", data[:HEADER_PREFIX])
        if magic != HEADER_MAGIC or own_version != HEADER_VERSION:
            raise CorruptError("not an index-header of version 1", object=name, offset=0)
        if version not in (1, 2):
            raise CorruptError(f"index version {version} is not supported, only 1 and 2 are", object=name, offset=5)
        own = data[size - HEADER_TOC_SIZE : size - 4]
        if crc32c(own) != int.from_bytes(data[size - 4 :], "big"):
            raise CorruptError("the checksum of the index-header's end does not match", object=name, offset=size - 20)
        symbols_at, table_at = struct.unpack(">QQ", own)
        embedded = size - HEADER_TOC_SIZE - TOC_SIZE
        if not HEADER_PREFIX == symbols_at < table_at <= embedded:
            raise CorruptError("the index-header's end points outside the file", object=name, offset=size - 20)
        index_size = table_in_index + (size - HEADER_TOC_SIZE - table_at)
        toc = parse_toc(bytes(data[embedded : embedded + TOC_SIZE]), index_size, name)
        if toc.postings_offset_table != table_in_index:
            raise CorruptError("the index-header's parts belong to different indexes", object=name, offset=6)
        body, end = _check_section(data[:table_at], symbols_at, name, symbols_at, "symbol table")
        symbols = Symbols(data, body, end, version, name)
        checksums = bytes(data[end : end + 4])
        body, end = _check_section(data[:embedded], table_at, name, table_at, "postings offset table")
        checksums += data[end : end + 4]
        limits = (toc.postings, toc.postings_end)
        table: PostingsTable
        if version == 2:
            table = PostingsTableV2(data, body, end, limits, sampling, name)
        else:
            table = PostingsTableV1(data, body, end, limits, name)
        if not table.all_postings():
            raise CorruptError("the postings list of all series is missing", object=name, offset=table_at)
        return cls(
            name=name,
            version=version,
            symbols=symbols,
            postings=table,
            series=(toc.series, toc.label_indices if toc.series < toc.label_indices <= toc.postings else toc.postings),
            postings_range=limits,
            scale=16 if version == 2 else 1,
            identity=_identity(data[:HEADER_PREFIX], checksums, data[embedded : embedded + TOC_SIZE], modified),
            _data=data,
            _map=mapped,
        )

    def label_names(self) -> list[bytes]:
        """Sorted names of all labels in the block."""
        return self.postings.names()

    def label_values(self, name: bytes) -> list[bytes]:
        """Sorted values of one label; empty for an unknown one."""
        return self.postings.values(name).texts()

    def ranges(self, name: bytes, values: Sequence[bytes]) -> NDArray[np.int64]:
        """int64[n, 2]: each list's bytes in the index, from its count to its checksum; -1 where there is none."""
        return self.postings.ranges(name, values)

    @property
    def memory(self) -> int:
        """Bytes held outside the mapped file."""
        return int(self.symbols.positions.nbytes) + self.postings.memory

    def close(self) -> None:
        """Give the mapping back. No look-up may follow."""
        self.symbols = None  # type: ignore[assignment]
        self.postings = None  # type: ignore[assignment]
        self._data = memoryview(b"")
        self._map = None  # unmapped as the last view goes


def _identity(prefix: memoryview, checksums: bytes, toc: memoryview, modified: int | None) -> str:
    digest = blake2b(b"".join((prefix, checksums, toc)), digest_size=8).hexdigest()
    return digest if modified is None else f"{digest}-{modified:x}"
