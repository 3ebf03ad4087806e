"""Postings lists: every one is read and checked, and its size and members are remembered as two numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storegate.block.discovery import INDEX_FILE
from storegate.block.verify.columns import Int64, UInt64, big_endian, pieces, weights
from storegate.block.verify.labels import printable, quoted
from storegate.block.verify.layout import IndexLayout
from storegate.block.verify.report import Report
from storegate.block.verify.source import PART, Source
from storegate.index.postings_table import PostingsTable
from storegate.index.symbols import Symbols
from storegate.kernels import explain
from storegate.kernels.audit import symbol_ordinals
from storegate.kernels.postings import count_postings, decode_postings

MOST_LISTS = 1 << 16
NO_SYMBOL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class PostingsLists:
    """All lists but that of all series, as rows of columns, in the order of the table.

    `pairs` are label pairs as `storegate.kernels.audit` has them; a pair that is no pair of symbols has a name of
    NO_SYMBOL and its number as value. `starts` and `ends` are the bytes from the count to the checksum, `counts` and
    `sums` the refs of a list and the sum of their `weights`, `readable` says which lists could be read.
    """

    pairs: UInt64
    starts: Int64
    ends: Int64
    counts: Int64
    sums: UInt64
    readable: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pairs)


def read_all_series(source: Source, layout: IndexLayout, report: Report) -> NDArray[np.uint32] | None:
    """The refs of the list of all series, ascending; None when there is none to rely on."""
    if layout.table is None:
        return None
    ((start, end),) = layout.table.ranges(b"", [b""]).tolist()
    found: list[NDArray[np.uint32]] = []
    data = source.read(INDEX_FILE, start - 4, end + 4)
    one = np.array([(start, end)], np.int64)
    for _, _, refs in _decode(data, start - 4, one, "the postings list of all series", report):
        found.append(refs)
    return found[0] if found else None


def read_lists(source: Source, layout: IndexLayout, report: Report) -> PostingsLists | None:
    """Every other list; None without the table that names them, or the symbols that say what the names mean."""
    if layout.table is None or layout.symbols is None:
        return None
    pairs, ranges = _named_lists(layout.table, layout.symbols, report if layout.sound else Report())
    lists = PostingsLists(
        pairs,
        ranges[:, 0].copy(),
        ranges[:, 1].copy(),
        np.zeros(len(pairs), np.int64),
        np.zeros(len(pairs), np.uint64),
        np.zeros(len(pairs), np.bool_),
    )
    _check_head(source, layout, lists, report)
    order = np.argsort(lists.starts, kind="stable")  # as the table has them, but in an index of version 1
    starts, ends = lists.starts[order], lists.ends[order]
    cuts = list(pieces(starts, ends, PART, MOST_LISTS))
    spans = [(int(starts[first]) - 4, int(ends[behind - 1]) + 4) for first, behind in cuts]
    for (first, behind), ((at, _), data) in zip(cuts, source.ahead(INDEX_FILE, spans), strict=True):
        rows = order[first:behind]
        places = np.column_stack((starts[first:behind], ends[first:behind]))
        for part, bounds, refs in _decode(data, at, places, "a postings list", report):
            done = rows[part]
            total = np.append(np.uint64(0), np.cumsum(weights(refs)))
            lists.counts[done] = np.diff(bounds)
            lists.sums[done] = total[bounds[1:]] - total[bounds[:-1]]
            lists.readable[done] = True
    return lists


def read_list(source: Source, lists: PostingsLists, row: int) -> NDArray[np.uint32]:
    """The refs of a list that was readable."""
    data = source.read(INDEX_FILE, int(lists.starts[row]), int(lists.ends[row]))
    return np.frombuffer(data, ">u4", int.from_bytes(data[:4], "big"), 4).astype(np.uint32)


def _check_head(source: Source, layout: IndexLayout, lists: PostingsLists, report: Report) -> None:
    """What lies before the first list."""
    assert layout.table is not None
    all_series = layout.table.ranges(b"", [b""])[0, 0]
    first = int(min(all_series, lists.starts.min(initial=all_series))) - 4
    if any(source.read(INDEX_FILE, layout.postings[0], first)):
        message = "the bytes before the first postings list are not 0"
        report.warning("padding", INDEX_FILE, message, offset=layout.postings[0])


def _named_lists(table: PostingsTable, symbols: Symbols, report: Report) -> tuple[UInt64, Int64]:
    """Label pairs and places of all lists but the first."""
    pairs, ranges = [np.empty(0, np.uint64)], [np.empty((0, 2), np.int64)]
    known = 0
    for name in table.names():
        values = table.values(name)
        ordinals = np.empty(len(values), np.int64)
        symbol_ordinals(symbols.data, symbols.base, symbols.positions, values.data, values.spans, ordinals)
        name_ordinal, is_symbol = symbols.find(name)
        numbers = ordinals.astype(np.uint64) | np.uint64(name_ordinal << 32)
        odd = np.flatnonzero((ordinals < 0) | (not is_symbol))
        numbers[odd] = np.uint64(NO_SYMBOL << 32) | (known + odd).astype(np.uint64)
        for i in odd.tolist():
            pair = f"{printable(name.decode(errors='replace'))}={quoted(values.text(i).decode(errors='replace'))}"
            report.error(
                "postings-pair",
                INDEX_FILE,
                f"a postings list is that of {pair}, which is not among the symbols",
                offset=int(values.ranges[i, 0]) - 4,
            )
        known += len(values)
        pairs.append(numbers)
        ranges.append(values.ranges)
    return np.concatenate(pairs), np.concatenate(ranges)


def _decode(
    data: bytes, at: int, places: Int64, what: str, report: Report
) -> Iterator[tuple[slice, Int64, NDArray[np.uint32]]]:
    """Runs of sound lists: (which of `places`, where each begins in the refs, refs). `data` begins at offset `at`."""
    arena = np.frombuffer(data, np.uint8)
    spans = places - at + np.array((0, 4))
    _check_sizes(arena, at, spans, what, report)
    first = 0
    while first < len(spans):
        run = np.ascontiguousarray(spans[first:])
        status, found = count_postings(arena, run)
        if status:
            run = run[:found]
            _, found = count_postings(arena, run)
        refs = np.empty(found, np.uint32)
        bounds = np.zeros(len(run) + 1, np.int64)
        wrong, behind = decode_postings(arena, run, bounds, refs)
        sound = behind if wrong else len(run)
        if sound:
            yield slice(first, first + sound), bounds[: sound + 1], refs[: bounds[sound]]
        first += sound
        if wrong or status:
            message = explain(wrong or status).replace("a postings list", what)
            report.error("postings", INDEX_FILE, message, offset=int(places[first, 0]) - 4)
            first += 1


def _check_sizes(arena: NDArray[np.uint8], at: int, spans: Int64, what: str, report: Report) -> None:
    """The length before each list, which readers pass over, and what lies between two lists."""
    counts = big_endian(arena, spans[:, 0])
    told = big_endian(arena, spans[:, 0] - 4)
    fits = 4 + 4 * counts + 4 <= spans[:, 1] - spans[:, 0]
    for i in np.flatnonzero(fits & (told != 4 + 4 * counts)).tolist():
        message = f"{what} says that it has {told[i]} bytes, but its {counts[i]} refs take {4 + 4 * int(counts[i])}"
        report.error("postings", INDEX_FILE, message, offset=at + int(spans[i, 0]) - 4)
    slack = spans[:, 1] - (spans[:, 0] + 4 + 4 * counts + 4)
    for i in np.flatnonzero(fits & (slack > 3)).tolist():
        message = f"{slack[i]} bytes behind {what} belong to nothing"
        report.warning("index-gap", INDEX_FILE, message, offset=at + int(spans[i, 1] - slack[i]))
