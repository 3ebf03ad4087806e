"""Building an index-header from few range reads of the index (Thanos index-header, version 1).

The tail of the index holds the table of contents and, mostly, the postings offset table; the front holds the symbols.
So a build is two reads, more only where a section is large.
"""

from __future__ import annotations

import os
import struct
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path

from storegate.errors import CorruptError
from storegate.index.toc import TOC, TOC_SIZE, parse_index_version, parse_toc
from storegate.kernels.hashing import crc32c
from storegate.types import ObjectStore

HEADER_MAGIC = 0xBAAAD792
HEADER_VERSION = 1
HEADER_PREFIX = 14  # magic, two versions, offset of the postings offset table in the index
HEADER_TOC_SIZE = 20
TAIL = 128 << 10  # bytes of the first, speculative read
PART = 16 << 20


def build_index_header(
    store: ObjectStore, key: str, size: int, path: Path | None, *, executor: Executor | None = None
) -> bytes | None:
    """Read what an index-header needs of the index `key` of `size` bytes, check it, and write it to `path`.

    `path` None returns the bytes instead. Large sections are read in parts of 16 MiB, at the same time when an
    `executor` is given. Raises CorruptError, the store's errors, and what `write_index_header` raises.
    """
    if size < 5 + TOC_SIZE + 12:
        raise CorruptError(f"the index has {size} bytes, too few to be one", object=key)
    tail_at = max(0, size - TAIL)
    tail = _read(store, key, tail_at, size, executor)
    toc = parse_toc(tail[-TOC_SIZE:], size, key)
    table_at = toc.postings_offset_table
    table = tail[table_at - tail_at :] if table_at >= tail_at else _read(store, key, table_at, tail_at, executor) + tail
    front = tail[: toc.series] if tail_at == 0 else _read(store, key, 0, toc.series, executor)
    version = parse_index_version(front[:5], key)
    symbols = front[toc.symbols :]
    check_section(symbols, 0, key, toc.symbols, "symbol table")
    check_section(table, 0, key, table_at, "postings offset table")
    header = _assemble(version, toc, symbols, table)
    if path is None:
        return header
    write_index_header(path, header)
    return None


def check_section(data: bytes | memoryview, at: int, name: str, offset: int, what: str) -> tuple[int, int]:
    """Body start and end of the section at `data[at]`. Raises CorruptError when its length or checksum is wrong."""
    length = int.from_bytes(data[at : at + 4], "big") if at + 4 <= len(data) else -1
    if length < 0 or at + 4 + length + 4 > len(data):
        raise CorruptError(f"the {what} is longer than its place", object=name, offset=offset)
    body, end = at + 4, at + 4 + length
    if crc32c(data, body, end) != int.from_bytes(data[end : end + 4], "big"):
        raise CorruptError(f"the checksum of the {what} does not match", object=name, offset=offset)
    return body, end


def _read(store: ObjectStore, key: str, start: int, end: int, executor: Executor | None) -> bytes:
    cuts = [*range(start, end, PART), end]

    def part(i: int) -> bytes:
        data = store.get_range(key, cuts[i], cuts[i + 1] - cuts[i])
        if len(data) != cuts[i + 1] - cuts[i]:
            raise CorruptError(
                f"the object ended after {len(data)} of {cuts[i + 1] - cuts[i]} bytes", object=key, offset=cuts[i]
            )
        return data

    indexes = range(len(cuts) - 1)
    parts = list(executor.map(part, indexes)) if executor and len(indexes) > 1 else [part(i) for i in indexes]
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _assemble(version: int, toc: TOC, symbols: bytes, table: bytes) -> bytes:
    head = struct.pack(">IBBQ", HEADER_MAGIC, HEADER_VERSION, version, toc.postings_offset_table)
    own = struct.pack(">QQ", HEADER_PREFIX, HEADER_PREFIX + len(symbols))
    return b"".join((head, symbols, table, own, crc32c(own).to_bytes(4, "big")))


def write_index_header(path: Path, data: bytes) -> None:
    """Put an index-header at `path`, whole or not at all: temporary name, sync, rename. Raises OSError."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
