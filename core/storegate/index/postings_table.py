"""The postings offset table of an index-header: label names, their values, and the place of each postings list."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from storegate.errors import CorruptError
from storegate.kernels import explain
from storegate.kernels.table import find_lists, join_values, list_values, scan_postings_table


@dataclass(slots=True)
class Values:
    """All values of one label, in byte order: `spans` int64[n, 2] of (position in `data`, length), and `ranges`."""

    data: memoryview
    spans: NDArray[np.int64]
    ranges: NDArray[np.int64]  # [n, 2] as from PostingsTable.ranges

    def __len__(self) -> int:
        return len(self.spans)

    def text(self, i: int) -> bytes:
        at, length = self.spans[i]
        return bytes(self.data[at : at + length])

    def texts(self) -> list[bytes]:
        """Every value as bytes."""
        data = self.data
        return [bytes(data[at : at + length]) for at, length in self.spans.tolist()]

    def joined(self) -> tuple[bytes, NDArray[np.int64]] | None:
        """The values as 00 value 01 FF each, and where each begins; None when a value holds such a mark itself."""
        out = np.empty(int(self.spans[:, 1].sum()) + 3 * len(self.spans), np.uint8)
        starts = np.empty(len(self.spans), np.int64)
        marked = join_values(self.data, self.spans, out, starts)
        return None if marked else (out.tobytes(), starts)


_NO_VALUES = Values(memoryview(b""), np.empty((0, 2), np.int64), np.empty((0, 2), np.int64))


class PostingsTable(Protocol):
    """Look-ups are thread-safe."""

    memory: int

    def names(self) -> list[bytes]:
        """Sorted label names, without the empty one."""

    def values(self, name: bytes) -> Values:
        """All values of a name."""

    def ranges(self, name: bytes, values: Sequence[bytes]) -> NDArray[np.int64]:
        """Per value (start, end) in the index, (-1, -1) where there is no list."""

    def all_postings(self) -> bool:
        """Whether the list of all series is there."""


class PostingsTableV2:
    """The sorted table of an index of version 2: one in `sampling` entries of each name is kept in memory."""

    def __init__(
        self, data: memoryview, body: int, end: int, limits: tuple[int, int], sampling: int, name: str
    ) -> None:
        count = int.from_bytes(data[body : body + 4], "big")
        if end - body < 4 or count > (end - body - 4) // 4:
            raise CorruptError(f"{count} entries cannot fit the postings offset table", object=name, offset=body)
        rows = np.empty((count, 5), np.int64)
        samples = np.empty(count, np.uint32)
        status, where, names, sampled = scan_postings_table(
            data, body, body + 4, end, count, sampling, limits[0], limits[1], rows, samples
        )
        if status:
            raise CorruptError(explain(status), object=name, offset=where)
        self._data = data
        self._base = body
        self._end = end
        self._samples = samples[:sampled].copy()
        self._rows: dict[bytes, tuple[int, int, int, int, int, int]] = {}
        for i, (first, entries, start, _, last_end) in enumerate(rows[:names].tolist()):
            stop = int(rows[i + 1, 2]) if i + 1 < names else sampled
            text, skip = _name_at(data, body + first)
            self._rows[text] = (first, entries, start, stop, last_end, skip)
        self.memory = int(self._samples.nbytes) + 200 * len(self._rows)

    def names(self) -> list[bytes]:
        return [name for name in self._rows if name]

    def values(self, name: bytes) -> Values:
        row = self._rows.get(name)
        if row is None or not name:
            return _NO_VALUES
        first, entries, _, _, last_end, skip = row
        spans = np.empty((entries, 2), np.int64)
        ranges = np.empty((entries, 2), np.int64)
        starts = np.empty(entries, np.int64)
        status, where = list_values(self._data, self._base, self._end, first, skip, spans, starts)
        if status:
            raise CorruptError(explain(status), object="postings offset table", offset=where)
        ranges[:, 0] = starts
        ranges[:-1, 1] = starts[1:] - 8
        ranges[-1, 1] = last_end
        return Values(self._data, spans, ranges)

    def ranges(self, name: bytes, values: Sequence[bytes]) -> NDArray[np.int64]:
        out = np.empty((len(values), 2), np.int64)
        row = self._rows.get(name)
        if row is None:
            out[:] = -1
            return out
        _, _, start, stop, last_end, skip = row
        bounds = np.zeros(len(values) + 1, np.int64)
        np.cumsum([len(value) for value in values], out=bounds[1:])
        status = find_lists(
            self._data, self._base, self._end, skip, self._samples[start:stop], last_end, b"".join(values), bounds, out
        )
        if status:
            raise CorruptError(explain(status), object="postings offset table")
        return out

    def all_postings(self) -> bool:
        return b"" in self._rows and bool(self.ranges(b"", [b""])[0, 0] >= 0)


class PostingsTableV1:
    """The unordered table of an index of version 1, read whole: such blocks are old and small."""

    def __init__(self, data: memoryview, body: int, end: int, limits: tuple[int, int], name: str) -> None:
        count = int.from_bytes(data[body : body + 4], "big")
        if end - body < 4 or count > (end - body - 4) // 4:
            raise CorruptError(f"{count} entries cannot fit the postings offset table", object=name, offset=body)
        entries: list[tuple[bytes, bytes, int]] = []
        at = body + 4
        for _ in range(count):
            entry = at
            keys, at = _uvarint(data, at, end, name)
            if keys != 2:
                raise CorruptError(explain(6), object=name, offset=entry)
            texts = []
            for _ in range(2):
                length, at = _uvarint(data, at, end, name)
                if length > end - at:
                    raise CorruptError(explain(3), object=name, offset=entry)
                texts.append(bytes(data[at : at + length]))
                at += length
            offset, at = _uvarint(data, at, end, name)
            if not limits[0] <= offset <= limits[1]:
                raise CorruptError(explain(8), object=name, offset=entry)
            entries.append((texts[0], texts[1], offset))
        if at != end:
            raise CorruptError(explain(5), object=name, offset=at)
        self._lists = self._by_name(entries, limits[1], name)
        self.memory = sum(120 + len(value) for values, _ in self._lists.values() for value in values)

    @staticmethod
    def _by_name(
        entries: list[tuple[bytes, bytes, int]], limit: int, name: str
    ) -> dict[bytes, tuple[list[bytes], NDArray[np.int64]]]:
        ends: dict[int, int] = {}
        following = limit
        for offset in sorted({offset for _, _, offset in entries}, reverse=True):
            if following - offset < 12:  # the smallest list: length, count and checksum
                raise CorruptError(explain(10), object=name, offset=offset)
            ends[offset] = following - 4
            following = offset
        grouped: dict[bytes, list[tuple[bytes, int]]] = {}
        for label, value, offset in entries:
            grouped.setdefault(label, []).append((value, offset))
        lists = {}
        for label in sorted(grouped):
            pairs = sorted(grouped[label])
            values = [value for value, _ in pairs]
            if len(set(values)) != len(values):
                raise CorruptError(explain(7), object=name)
            lists[label] = (values, np.array([(offset + 4, ends[offset]) for _, offset in pairs], np.int64))
        return lists

    def names(self) -> list[bytes]:
        return [name for name in self._lists if name]

    def values(self, name: bytes) -> Values:
        values, ranges = self._lists.get(name, ((), None)) if name else ((), None)
        if ranges is None:
            return _NO_VALUES
        spans = np.zeros((len(values), 2), np.int64)
        spans[:, 1] = [len(value) for value in values]
        spans[1:, 0] = np.cumsum(spans[:-1, 1])
        return Values(memoryview(b"".join(values)), spans, ranges)

    def ranges(self, name: bytes, values: Sequence[bytes]) -> NDArray[np.int64]:
        out = np.full((len(values), 2), -1, np.int64)
        known, ranges = self._lists.get(name, ([], out))
        for i, value in enumerate(values):
            at = bisect_left(known, value)
            if at < len(known) and known[at] == value:
                out[i] = ranges[at]
        return out

    def all_postings(self) -> bool:
        return b"" in self._lists and b"" in self._lists[b""][0]


def _uvarint(data: memoryview, at: int, end: int, name: str) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= end:
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise CorruptError(explain(1), object=name, offset=at)


def _name_at(data: memoryview, entry: int) -> tuple[bytes, int]:
    """The name of an entry that a scan has checked, and how far into the entry its value begins."""
    length, at = _uvarint(data, entry + 1, len(data), "postings offset table")
    return bytes(data[at : at + length]), at + length - entry
