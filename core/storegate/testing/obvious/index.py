"""Reads a whole TSDB index into plain dictionaries and checks every rule of the format on the way."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from storegate.errors import CorruptError
from storegate.testing.crc32c import crc32c
from storegate.testing.varint import MASK64, read_uvarint, read_varint, signed64

MAGIC = bytes.fromhex("baaad700")
TOC_FIELDS = ("symbols", "series", "label_indices", "label_offset_table", "postings", "postings_offset_table")
TOC_SIZE = 52

LabelPairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ChunkEntry:
    """A chunk as the index lists it: closed time range in ms, segment position, offset in the segment."""

    min_time: int
    max_time: int
    ref: int

    @property
    def segment(self) -> int:
        return self.ref >> 32

    @property
    def offset(self) -> int:
        return self.ref & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class IndexSeries:
    """One series: labels sorted by name, chunks in stored order, and the file offset of its entry."""

    offset: int
    labels: LabelPairs
    chunks: tuple[ChunkEntry, ...]


@dataclass(slots=True)
class ObviousIndex:
    """All that an index holds. `postings` and `series` go by the file offset of a series, in both versions."""

    version: int
    toc: dict[str, int]
    symbols: dict[int, str] = field(default_factory=dict)  # by reference, as series use it
    series: dict[int, IndexSeries] = field(default_factory=dict)
    postings: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    table: list[tuple[str, str, int]] = field(default_factory=list)  # name, value, list offset, in stored order

    def label_names(self) -> list[str]:
        """Names that series carry, sorted by bytes."""
        return sorted({name for name, _ in self.postings} - {""}, key=as_bytes)

    def label_values(self, name: str) -> list[str]:
        """Values of a name, sorted by bytes; none when no series carries it."""
        return sorted((value for own, value in self.postings if own == name and name), key=as_bytes)


def as_bytes(text: str) -> bytes:
    """The stored bytes of a label text, by which everything is ordered."""
    return text.encode("utf-8", "surrogateescape")


def as_text(data: bytes) -> str:
    """The label text of stored bytes; what is not UTF-8 survives the way back."""
    return data.decode("utf-8", "surrogateescape")


def read_index(data: bytes, name: str = "index") -> ObviousIndex:
    """Parse the bytes of an index file called `name` in errors. Raises CorruptError."""
    return _IndexReader(data, name).read()


class _IndexReader:
    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name

    def fail(self, message: str, offset: int = -1) -> CorruptError:
        return CorruptError(message, object=self.name, offset=offset)

    def read(self) -> ObviousIndex:
        data = self.data
        if len(data) < 5 + TOC_SIZE:
            raise self.fail(f"an index of {len(data)} bytes is too short")
        if data[:4] != MAGIC:
            raise self.fail(f"the magic number is {data[:4].hex()}, not {MAGIC.hex()}", 0)
        if data[4] not in (1, 2):
            raise self.fail(f"index version {data[4]} is unknown", 4)
        index = ObviousIndex(data[4], self._toc())
        index.symbols = self._symbols(index)
        index.series = {series.offset: series for series in self._series(index)}
        index.table = self._postings_table(index)
        index.postings = {(name, value): self._postings(index, offset) for name, value, offset in index.table}
        self._check_postings(index)
        return index

    def _toc(self) -> dict[str, int]:
        start = len(self.data) - TOC_SIZE
        body = self.data[start : start + 48]
        if crc32c(body) != self._u32(start + 48):
            raise self.fail("the checksum of the table of contents is wrong", start)
        toc = dict(zip(TOC_FIELDS, struct.unpack(">6Q", body), strict=True))
        order = [5, toc["symbols"], toc["series"], toc["postings"], toc["postings_offset_table"], start - 12]
        if order != sorted(order) or toc["symbols"] == toc["series"]:
            raise self.fail(f"the offsets of the table of contents are out of order: {toc}", start)
        return toc

    def _u32(self, offset: int) -> int:
        if offset + 4 > len(self.data):
            raise self.fail("the file ends inside a number", offset)
        return int.from_bytes(self.data[offset : offset + 4], "big")

    def _section(self, offset: int, end: int, what: str) -> tuple[int, int]:
        """Begin and end of the body of the section at `offset`, which must lie before `end`."""
        begin = offset + 4
        stop = begin + self._u32(offset)
        if stop + 4 > end:
            raise self.fail(f"the {what} reaches past its end at {end}", offset)
        if crc32c(self.data[begin:stop]) != self._u32(stop):
            raise self.fail(f"the checksum of the {what} is wrong", offset)
        return begin, stop

    def _string(self, offset: int, end: int) -> tuple[str, int]:
        length, begin = read_uvarint(self.data, offset, end)
        if begin + length > end:
            raise self.fail("a text reaches past the end of its section", offset)
        return as_text(self.data[begin : begin + length]), begin + length

    def _symbols(self, index: ObviousIndex) -> dict[int, str]:
        begin, end = self._section(index.toc["symbols"], index.toc["series"], "symbol table")
        symbols: dict[int, str] = {}
        position, last = begin + 4, ""
        for ordinal in range(self._u32(begin)):
            start = position
            text, position = self._string(start, end)
            if index.version == 2 and ordinal and as_bytes(text) <= as_bytes(last):
                raise self.fail(f"symbol {text!r} is not larger than {last!r} before it", start)
            symbols[ordinal if index.version == 2 else start] = last = text
        if position != end:
            raise self.fail(f"{end - position} bytes follow the last symbol", position)
        return symbols

    def _series(self, index: ObviousIndex) -> Iterator[IndexSeries]:
        """Entries are found one after another: only padding lies between them."""
        position = index.toc["series"]
        end = index.toc["label_indices"] or index.toc["postings"]
        while True:
            if index.version == 2:
                position += -position % 16
            if position >= end or (end - position < 8 and not any(self.data[position:end])):
                return
            entry, position = self._series_entry(index, position, end)
            yield entry

    def _series_entry(self, index: ObviousIndex, offset: int, end: int) -> tuple[IndexSeries, int]:
        length, begin = read_uvarint(self.data, offset, end)
        stop = begin + length
        if stop + 4 > end:
            raise self.fail(f"a series of {length} bytes reaches past the end of the series", offset)
        body = self.data[begin:stop]
        if crc32c(body) != self._u32(stop):
            raise self.fail("the checksum of a series is wrong", offset)
        try:
            labels, position = self._labels(index, body)
            chunks, position = _read_chunks(body, position)
        except CorruptError as error:
            raise self.fail(f"series: {error}", offset) from error
        if position != len(body):
            raise self.fail(f"{len(body) - position} bytes follow the last chunk of a series", offset)
        return IndexSeries(offset, labels, chunks), stop + 4

    def _labels(self, index: ObviousIndex, body: bytes) -> tuple[LabelPairs, int]:
        count, position = read_uvarint(body, 0)
        if count == 0 or count > len(body) // 2:
            raise CorruptError(f"{count} labels")
        labels = []
        for _ in range(count):
            name, position = read_uvarint(body, position)
            value, position = read_uvarint(body, position)
            for ref in (name, value):
                if ref not in index.symbols:
                    raise CorruptError(f"symbol {ref} does not exist")
            labels.append((index.symbols[name], index.symbols[value]))
        return tuple(sorted(labels, key=lambda pair: as_bytes(pair[0]))), position

    def _postings_table(self, index: ObviousIndex) -> list[tuple[str, str, int]]:
        begin, end = self._section(
            index.toc["postings_offset_table"], len(self.data) - TOC_SIZE, "postings offset table"
        )
        table = []
        position = begin + 4
        for _ in range(self._u32(begin)):
            start = position
            keys, position = read_uvarint(self.data, position, end)
            if keys != 2:
                raise self.fail(f"an entry of the postings offset table has {keys} keys", start)
            name, position = self._string(position, end)
            value, position = self._string(position, end)
            offset, position = read_uvarint(self.data, position, end)
            table.append((name, value, offset))
        if position != end:
            raise self.fail(f"{end - position} bytes follow the last entry of the postings offset table", position)
        self._check_table(index, table)
        return table

    def _check_table(self, index: ObviousIndex, table: list[tuple[str, str, int]]) -> None:
        pairs = [(as_bytes(name), as_bytes(value)) for name, value, _ in table]
        offsets = [offset for _, _, offset in table]
        where = index.toc["postings_offset_table"]
        if (b"", b"") not in pairs:
            raise self.fail("the list of all series is missing from the postings offset table", where)
        if len(set(pairs)) != len(pairs):
            raise self.fail("the postings offset table holds a label pair twice", where)
        if index.version == 2 and (pairs != sorted(pairs) or offsets != sorted(offsets)):
            raise self.fail("the postings offset table is not sorted", where)
        for offset in offsets:
            if not index.toc["postings"] <= offset < where:
                raise self.fail(f"a postings list at {offset} lies outside the postings", where)

    def _postings(self, index: ObviousIndex, offset: int) -> list[int]:
        begin, end = self._section(offset, index.toc["postings_offset_table"], "postings list")
        count = self._u32(begin)
        if end - begin != 4 + 4 * count:
            raise self.fail(f"a postings list of {count} series has {end - begin} bytes", offset)
        refs = list(struct.unpack_from(f">{count}I", self.data, begin + 4))
        if any(after <= before for before, after in pairwise(refs)):
            raise self.fail("a postings list is not strictly ascending", offset)
        return [ref * 16 if index.version == 2 else ref for ref in refs]

    def _check_postings(self, index: ObviousIndex) -> None:
        """Lists name the series that carry their label pair, and no others."""
        expected: dict[tuple[str, str], list[int]] = {("", ""): sorted(index.series)}
        for offset in sorted(index.series):
            for pair in index.series[offset].labels:
                expected.setdefault(pair, []).append(offset)
        for pair in expected.keys() | index.postings.keys():
            if index.postings.get(pair) != expected.get(pair):
                raise self.fail(f"the postings of {pair[0]!r}={pair[1]!r} are not the series that carry it")


def _read_chunks(body: bytes, position: int) -> tuple[tuple[ChunkEntry, ...], int]:
    count, position = read_uvarint(body, position)
    if count > len(body) // 3 + 1:
        raise CorruptError(f"{count} chunks")
    chunks: list[ChunkEntry] = []
    for number in range(count):
        if number == 0:
            min_time, position = read_varint(body, position)
            length, position = read_uvarint(body, position)
            ref, position = read_uvarint(body, position)
        else:
            before = chunks[-1]
            gap, position = read_uvarint(body, position)
            length, position = read_uvarint(body, position)
            step, position = read_varint(body, position)
            min_time, ref = signed64(before.max_time + gap), before.ref + step & MASK64
        chunks.append(ChunkEntry(min_time, signed64(min_time + length), ref))
    return tuple(chunks), position
