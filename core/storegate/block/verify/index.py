"""One index from end to end, with the chunks that it tells of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storegate.block.discovery import INDEX_FILE
from storegate.block.verify.chunks import ChunkReader
from storegate.block.verify.consistency import LabelOrder, PairTally
from storegate.block.verify.layout import read_layout
from storegate.block.verify.postings import read_all_series, read_lists
from storegate.block.verify.report import Report, SeriesName
from storegate.block.verify.series import SeriesReader, SeriesWindow, find_series
from storegate.block.verify.source import Source
from storegate.types import BlockMeta


@dataclass(frozen=True, slots=True)
class IndexOutcome:
    """What an index held: series, those of them with chunks, and chunks. `sound` says whether all could be read."""

    series: int = 0
    with_chunks: int = 0
    chunks: int = 0
    sound: bool = False


def verify_index(
    source: Source, size: int, meta: BlockMeta | None, chunks: ChunkReader, report: Report
) -> IndexOutcome:
    """Check an index of `size` bytes, window by window, each with its chunks."""
    layout = read_layout(source, size, report)
    if layout is None:
        return IndexOutcome()
    lists = read_lists(source, layout, report)
    refs = read_all_series(source, layout, report)
    sound = layout.sound and refs is not None
    series = SeriesReader(source, layout, find_series(source, layout, report) if refs is None else refs, report)
    order = LabelOrder(report)
    # What damaged symbols or a damaged table would say of labels is nothing new.
    tally = (
        None
        if lists is None or layout.symbols is None or not layout.sound
        else PairTally(lists, layout.symbols, report)
    )
    with_chunks = told = 0
    for window in series.windows():
        order.check(window)
        if tally is not None:
            tally.add(window)
        _check_ranges(window, meta, report)
        names = _ChunkNames(window)
        chunks.check(window.chunks, names.name, names.entry)
        with_chunks += int(np.count_nonzero(np.diff(window.chunk_start)))
        told += len(window.chunks)
    if tally is not None:
        tally.compare(source, series)
    return IndexOutcome(series.read - series.bad, with_chunks, told, sound and series.sound)


class _ChunkNames:
    """The series of the chunks of one window."""

    def __init__(self, window: SeriesWindow) -> None:
        self._window = window

    def name(self, chunk: int) -> SeriesName:
        return self._window.name(self._row(chunk))

    def entry(self, chunk: int) -> int:
        return self._window.offset(self._row(chunk))

    def _row(self, chunk: int) -> int:
        return int(np.searchsorted(self._window.chunk_start, chunk, "right")) - 1


def _check_ranges(window: SeriesWindow, meta: BlockMeta | None, report: Report) -> None:
    """The times that entries give their chunks: each a range, inside that of the block, after the one before."""
    names = _ChunkNames(window)
    mint, maxt = window.chunks[:, 0], window.chunks[:, 1]

    for i in np.flatnonzero(mint > maxt).tolist():
        message = f"a chunk ends at {maxt[i]}, before it begins at {mint[i]}"
        report.error("chunk-range", INDEX_FILE, message, offset=names.entry(i), series=names.name(i))
    if meta is not None:
        for i in np.flatnonzero((mint < meta.min_time) | (maxt >= meta.max_time)).tolist():
            message = f"a chunk from {mint[i]} to {maxt[i]} is not within the block's time"
            report.error("chunk-outside", INDEX_FILE, message, offset=names.entry(i), series=names.name(i))
    follows = np.ones(len(window.chunks), np.bool_)
    follows[window.chunk_start[:-1][np.diff(window.chunk_start) > 0]] = False
    overlap = np.append(False, mint[1:] <= maxt[:-1]) if len(mint) else follows
    for i in np.flatnonzero(follows & overlap).tolist():
        message = f"a chunk from {mint[i]} begins before the one before it ends at {maxt[i - 1]}"
        report.warning("chunk-overlap", INDEX_FILE, message, offset=names.entry(i), series=names.name(i))
