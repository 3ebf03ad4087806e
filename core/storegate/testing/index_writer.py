"""Builds the bytes of a TSDB index (version 1 or 2) in memory, section by section in file order."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from storegate.testing.crc32c import crc32c
from storegate.testing.varint import put_uvarint, put_varint

MAGIC = bytes.fromhex("baaad700")
ALL_SERIES = (b"", b"")
"""The label pair whose postings list holds every series."""

BytePairs = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class ChunkEntry:
    """What the index says about a chunk: closed time range in ms, and `segment position << 32 | offset`."""

    min_time: int
    max_time: int
    ref: int


@dataclass(frozen=True, slots=True)
class IndexSeries:
    """One series as it is written: labels and chunks in this very order."""

    labels: BytePairs
    chunks: Sequence[ChunkEntry]


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """The bytes of the index and the file offset of each series entry, in the order given."""

    data: bytes
    offsets: list[int]
    series_max_size: int  # as Thanos estimates it: the largest distance between neighbours, the last series left out


def build_index(series: Iterable[IndexSeries], *, version: int = 2, label_indices: bool = False) -> BuiltIndex:
    """An index of `series`, which a proper block holds in label order with ascending names (not checked here).

    `label_indices` adds the obsolete label index sections and their offset table, as writers did until 2021.
    """
    if version not in (1, 2):
        raise ValueError(f"index version {version}: only 1 and 2 exist")
    return _IndexBuilder(list(series), version).build(label_indices)


def section(body: bytes) -> bytes:
    """`body` with its length before and its checksum behind."""
    return struct.pack(">I", len(body)) + body + struct.pack(">I", crc32c(body))


def series_body(labels: Iterable[tuple[int, int]], chunks: Sequence[ChunkEntry]) -> bytes:
    """The body of a series entry from symbol references and chunks."""
    pairs = list(labels)
    out = [put_uvarint(len(pairs))]
    for name, value in pairs:
        out += (put_uvarint(name), put_uvarint(value))
    out.append(put_uvarint(len(chunks)))
    previous: ChunkEntry | None = None
    for chunk in chunks:
        if previous is None:
            out += (put_varint(chunk.min_time), put_uvarint(chunk.max_time - chunk.min_time), put_uvarint(chunk.ref))
        else:
            out.append(put_uvarint(chunk.min_time - previous.max_time))
            out.append(put_uvarint(chunk.max_time - chunk.min_time))
            out.append(put_varint(chunk.ref - previous.ref))
        previous = chunk
    return b"".join(out)


class _IndexBuilder:
    def __init__(self, series: list[IndexSeries], version: int) -> None:
        self.series = series
        self.version = version
        self.out = bytearray(MAGIC + bytes([version]))
        self.symbols: dict[bytes, int] = {}
        self.postings: dict[tuple[bytes, bytes], list[int]] = {ALL_SERIES: []}

    def build(self, label_indices: bool) -> BuiltIndex:
        symbols = len(self.out)
        self._write_symbols()
        series = len(self.out)
        offsets = self._write_series()
        labels = len(self.out)
        label_offsets = self._write_label_indices() if label_indices else []
        postings = len(self.out)
        postings_offsets = self._write_postings()
        label_table = len(self.out)
        if label_indices:
            self._write_table((1, (name,), offset) for name, offset in label_offsets)
        postings_table = len(self.out)
        self._write_table((2, pair, offset) for pair, offset in postings_offsets)
        toc = struct.pack(">6Q", symbols, series, labels, label_table, postings, postings_table)
        self.out += toc + struct.pack(">I", crc32c(toc))
        largest = max((after - before for before, after in pairwise(offsets)), default=0)
        return BuiltIndex(bytes(self.out), offsets, largest)

    def _align(self, to: int) -> None:
        self.out += bytes(-len(self.out) % to)

    def _write_symbols(self) -> None:
        texts = {b""} | {text for entry in self.series for pair in entry.labels for text in pair}
        body = bytearray(struct.pack(">I", len(texts)))
        for ordinal, text in enumerate(sorted(texts)):
            self.symbols[text] = ordinal if self.version == 2 else len(self.out) + 4 + len(body)
            body += put_uvarint(len(text)) + text
        self.out += section(bytes(body))

    def _write_series(self) -> list[int]:
        offsets = []
        symbols, postings = self.symbols, self.postings
        for entry in self.series:
            if self.version == 2:
                self._align(16)
            offset = len(self.out)
            offsets.append(offset)
            body = series_body([(symbols[name], symbols[value]) for name, value in entry.labels], entry.chunks)
            self.out += put_uvarint(len(body)) + body + struct.pack(">I", crc32c(body))
            ref = offset // 16 if self.version == 2 else offset
            for pair in (ALL_SERIES, *entry.labels):
                postings.setdefault(pair, []).append(ref)
        return offsets

    def _write_label_indices(self) -> list[tuple[bytes, int]]:
        values: dict[bytes, set[bytes]] = {}
        for name, value in self.postings:
            if (name, value) != ALL_SERIES:
                values.setdefault(name, set()).add(value)
        offsets = []
        for name in sorted(values):
            self._align(4)
            offsets.append((name, len(self.out)))
            refs = [self.symbols[value] for value in sorted(values[name])]
            self.out += section(struct.pack(f">II{len(refs)}I", 1, len(refs), *refs))
        return offsets

    def _write_postings(self) -> list[tuple[tuple[bytes, bytes], int]]:
        """Version 2 sorts its lists by label pair; version 1 may hold them in any order, here as they came up."""
        pairs: Mapping[tuple[bytes, bytes], list[int]] = self.postings
        if self.version == 2:
            pairs = dict(sorted(self.postings.items()))
        offsets = []
        for pair, refs in pairs.items():
            self._align(4)
            offsets.append((pair, len(self.out)))
            self.out += section(struct.pack(f">I{len(refs)}I", len(refs), *sorted(refs)))
        return offsets

    def _write_table(self, entries: Iterable[tuple[int, tuple[bytes, ...], int]]) -> None:
        rows = list(entries)
        body = bytearray(struct.pack(">I", len(rows)))
        for keys, texts, offset in rows:
            body.append(keys)
            for text in texts:
                body += put_uvarint(len(text)) + text
            body += put_uvarint(offset)
        self.out += section(bytes(body))
