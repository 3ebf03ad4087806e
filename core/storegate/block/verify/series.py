"""Series entries: each is read, checked and decoded, window by window, in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storegate.block.discovery import INDEX_FILE
from storegate.block.verify.columns import Int64, nonzero_between, pieces, varints
from storegate.block.verify.labels import label_text
from storegate.block.verify.layout import IndexLayout
from storegate.block.verify.report import Report, SeriesName
from storegate.block.verify.source import PART, Source
from storegate.errors import CorruptError
from storegate.index.symbols import Symbols
from storegate.kernels import explain
from storegate.kernels.series import decode_series, entries_size

MOST_SERIES = 1 << 17
EVER = (-(2**63), 2**63 - 1)


@dataclass(slots=True)
class SeriesWindow:
    """The sound series of one stretch of the section, as rows of columns (see `decode_series`).

    `refs` are their references. Series i has the labels `label_start[i]` to `label_start[i + 1]` of `label_refs`, which
    are ordinals of `symbols`, and the rows `chunk_start[i]` to `chunk_start[i + 1]` of `chunks`. `named` is false when
    the labels say nothing because some symbol is unknown.
    """

    refs: NDArray[np.uint32]
    label_start: Int64
    label_refs: NDArray[np.uint32]
    chunk_start: Int64
    chunks: Int64
    symbols: Symbols | None
    scale: int
    named: bool = True

    def name(self, row: int) -> SeriesName:
        """The series of a row, for a message."""
        return SeriesName(int(self.refs[row]), lambda: self.labels(row))

    def offset(self, row: int) -> int:
        """Where its entry lies in the index."""
        return int(self.refs[row]) * self.scale

    def labels(self, row: int) -> str:
        """Its labels as text."""
        first, behind = int(self.label_start[row]), int(self.label_start[row + 1])
        if self.symbols is None or not self.named:
            return ""
        pairs = self.label_refs[2 * first : 2 * behind].reshape(-1, 2).tolist()
        return label_text(self.symbols, pairs)


class SeriesReader:
    """Goes through the series section. `refs` are those of all series, ascending.

    `windows` can be had more than once; problems are told the first time. `read` and `bad` count entries, `sound` says
    whether the section held nothing but good ones.
    """

    def __init__(self, source: Source, layout: IndexLayout, refs: NDArray[np.uint32], report: Report) -> None:
        self._source = source
        self._layout = layout
        self._report: Report | None = report
        self._offsets = refs.astype(np.int64) * layout.scale
        start, end = layout.series
        inside = (self._offsets >= start) & (self._offsets < end)
        for offset in self._offsets[~inside].tolist():
            report.error("series", INDEX_FILE, "a series ref points outside the series section", offset=offset)
        self._offsets = self._offsets[inside]
        self.read = len(self._offsets)
        self.bad = 0
        self.sound = bool(inside.all())

    def windows(self) -> Iterator[SeriesWindow]:
        """The series in order."""
        offsets = self._offsets
        following = np.append(offsets[1:], self._layout.series[1])
        cuts = list(pieces(offsets, following, PART // 2, MOST_SERIES))
        spans = [(int(offsets[first]), int(following[behind - 1])) for first, behind in cuts]
        self._check_head(spans)
        for (first, behind), ((at, _), data) in zip(cuts, self._source.ahead(INDEX_FILE, spans), strict=True):
            places = np.column_stack((offsets[first:behind], following[first:behind])) - at
            yield self._decode(np.frombuffer(data, np.uint8), at, places)
        self._report = None

    def _check_head(self, spans: list[tuple[int, int]]) -> None:
        start, end = self._layout.series
        first = spans[0][0] if spans else end
        if self._report is not None and any(self._source.read(INDEX_FILE, start, first)):
            self._tell_gap(start, first)

    def _decode(self, arena: NDArray[np.uint8], at: int, places: Int64) -> SeriesWindow:
        size = entries_size(arena, places)
        n = len(places)
        rows, label_start, chunk_start = np.empty(n, np.int64), np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
        label_refs, chunks = np.empty(size + 2, np.uint32), np.empty((size // 3 + 1, 4), np.int64)
        state = np.zeros(6, np.int64)
        good = np.ones(n, np.bool_)
        while status := decode_series(
            arena, places, *EVER, True, self._layout.symbol_limit,
            state, rows, label_start, label_refs, chunk_start, chunks,
        ):  # fmt: skip
            entry = int(state[0])
            good[entry] = False
            self._tell(explain(status), at + int(places[entry, 0]))
            state[0] += 1
        found = int(state[1])
        self._check_gaps(arena, at, places, good)
        window = SeriesWindow(
            refs=((places[rows[:found], 0] + at) // self._layout.scale).astype(np.uint32),
            label_start=label_start[: found + 1],
            label_refs=label_refs[: 2 * int(state[2])],
            chunk_start=chunk_start[: found + 1],
            chunks=chunks[: int(state[3])],
            symbols=self._layout.symbols,
            scale=self._layout.scale,
        )
        good[rows[:found]] = False
        bare = np.flatnonzero(good)  # decoding leaves out series without chunks
        if len(bare):
            window = _with_bare(window, arena, at, places[bare, 0])
        self._to_ordinals(window)
        return window

    def _to_ordinals(self, window: SeriesWindow) -> None:
        """Symbol refs of an index of version 1 are offsets."""
        if self._layout.version != 1 or window.symbols is None:
            return
        try:
            window.label_refs = window.symbols.ordinals(window.label_refs, "")
        except CorruptError:
            window.named = False
            offset = window.offset(0)
            self._tell("one of the series from here on refers to an unknown symbol", offset)

    def _check_gaps(self, arena: NDArray[np.uint8], at: int, places: Int64, good: NDArray[np.bool_]) -> None:
        """Between two entries lie fewer bytes than the alignment, all 0."""
        if self._report is None:
            return
        whole = np.flatnonzero(good)
        starts, following = places[whole, 0], places[whole, 1]
        length, size = varints(arena, starts)
        ends = starts + size + length + 4
        for i in nonzero_between(arena, ends, following).tolist():
            self._tell_gap(at + int(ends[i]), at + int(following[i]))

    def _tell_gap(self, start: int, end: int) -> None:
        if self._report is None:
            return
        if end - start < self._layout.scale:
            self._report.warning(
                "padding", INDEX_FILE, "the bytes that fill up to the next series are not 0", offset=start
            )
        else:
            self.sound = False
            message = f"{end - start} bytes hold no series that the list of all series knows"
            self._report.error("series-unlisted", INDEX_FILE, message, offset=start)

    def _tell(self, message: str, offset: int) -> None:
        self.sound = False
        if self._report is not None:
            self.bad += 1
            series = SeriesName(offset // self._layout.scale, str)
            self._report.error("series", INDEX_FILE, message, offset=offset, series=series)


def find_series(source: Source, layout: IndexLayout, report: Report) -> NDArray[np.uint32]:
    """The refs of all series, by going from one entry to the next: for an index whose list of them is damaged."""
    start, end = layout.series
    spans = [(at, min(at + PART, end)) for at in range(start, end, PART)]
    refs: list[int] = []
    at = start
    for (begin, stop), data in source.ahead(INDEX_FILE, spans):
        while at < stop:
            at += -at % layout.scale
            head = data[at - begin : at - begin + 10]
            if stop - at < 10 and stop < end:
                head = source.read(INDEX_FILE, at, min(at + 10, end))
            length, size = varints(np.frombuffer(head or b"\0", np.uint8), np.zeros(1, np.int64))
            if at >= end or (not length[0] and not any(head)):
                return np.array(refs, np.uint32)
            behind = at + int(size[0]) + int(length[0]) + 4
            if size[0] > len(head) or behind > end:
                report.error("series", INDEX_FILE, "no further series can be found: this one has no end", offset=at)
                return np.array(refs, np.uint32)
            refs.append(at // layout.scale)
            at = behind
    return np.array(refs, np.uint32)


def _with_bare(window: SeriesWindow, arena: NDArray[np.uint8], at: int, entries: Int64) -> SeriesWindow:
    """The window with the series that have no chunks, too, in the order of the file."""
    bare = [_bare_labels(arena, int(entry)) for entry in entries.tolist()]
    refs = np.append(window.refs, ((entries + at) // window.scale).astype(np.uint32))
    labels = [window.label_refs[2 * a : 2 * b] for a, b in _spans(window.label_start)] + bare
    chunks = np.append(np.diff(window.chunk_start), np.zeros(len(bare), np.int64))
    order = np.argsort(refs)
    return SeriesWindow(
        refs=refs[order],
        label_start=np.append(0, np.cumsum([len(labels[i]) // 2 for i in order])),
        label_refs=np.concatenate([labels[i] for i in order]),
        chunk_start=np.append(0, np.cumsum(chunks[order])),
        chunks=window.chunks,
        symbols=window.symbols,
        scale=window.scale,
    )


def _spans(starts: Int64) -> list[tuple[int, int]]:
    return list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))


def _bare_labels(arena: NDArray[np.uint8], entry: int) -> NDArray[np.uint32]:
    """Symbol refs of one entry that decoding has accepted, by name."""

    def number(at: int) -> tuple[int, int]:
        value, size = varints(arena, np.array([at]))
        return int(value[0]), at + int(size[0])

    _, at = number(entry)
    count, at = number(at)
    pairs = []
    for _ in range(count):
        name, at = number(at)
        value, at = number(at)
        pairs.append((name, value))
    return np.array(sorted(pairs), np.uint32).ravel()
