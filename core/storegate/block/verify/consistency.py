"""Whether postings lists and series tell the same story."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storegate.block.discovery import INDEX_FILE
from storegate.block.verify.columns import weights
from storegate.block.verify.labels import label_text
from storegate.block.verify.postings import NO_SYMBOL, PostingsLists, read_list
from storegate.block.verify.report import Report, SeriesName
from storegate.block.verify.series import SeriesReader, SeriesWindow
from storegate.block.verify.source import Source
from storegate.index.symbols import Symbols
from storegate.kernels.audit import fill_slots, first_unordered, tally_pairs

EXPLAINED = 5
"""Lists that are compared ref by ref with the series, which takes another pass over them."""


class LabelOrder:
    """Series come in the order of their labels, no two having the same; no series has a label twice."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._last: list[int] | None = None

    def check(self, window: SeriesWindow) -> None:
        """Check a window after those before it."""
        starts, refs = window.label_start, window.label_refs
        if not window.named or not len(window.refs) or (window.symbols and not window.symbols.in_order):
            return
        if self._last is not None and refs[: 2 * int(starts[1])].tolist() <= self._last:
            self._tell(window, 0)
        row = first_unordered(starts, refs, 1)
        while row >= 0:
            self._tell(window, row)
            row = first_unordered(starts, refs, row + 1)
        self._check_names(window)
        self._last = refs[2 * int(starts[-2]) : 2 * int(starts[-1])].tolist()

    def _check_names(self, window: SeriesWindow) -> None:
        names = window.label_refs[::2]
        same = np.append(False, names[1:] == names[:-1]) if len(names) else np.empty(0, np.bool_)
        same[window.label_start[:-1]] = False
        for label in np.flatnonzero(same).tolist():
            row = int(np.searchsorted(window.label_start, label, "right")) - 1
            message = "it has two labels of the same name"
            self._report.error("series", INDEX_FILE, message, offset=window.offset(row), series=window.name(row))

    def _tell(self, window: SeriesWindow, row: int) -> None:
        message = "its labels do not come after those of the series before it"
        self._report.error("series-order", INDEX_FILE, message, offset=window.offset(row), series=window.name(row))


class PairTally:
    """How many series have each label pair, and which, as a sum of weights; then compared with the lists."""

    def __init__(self, lists: PostingsLists, symbols: Symbols, report: Report) -> None:
        self._lists = lists
        self._symbols = symbols
        self._report = report
        self._slots = np.zeros(1 << (2 * len(lists) + 1).bit_length(), np.int64)
        fill_slots(lists.pairs, self._slots)
        self._counts = np.zeros(len(lists), np.int64)
        self._sums = np.zeros(len(lists), np.uint64)
        self._complete = True

    def add(self, window: SeriesWindow) -> None:
        """Count the series of a window. Tells of pairs that have no list."""
        if not window.named:
            self._complete = False
            return
        heavy = weights(window.refs)
        begin = 0
        while True:
            label = tally_pairs(
                window.label_start, window.label_refs, heavy, self._lists.pairs, self._slots,
                self._counts, self._sums, begin,
            )  # fmt: skip
            if label < 0:
                return
            row = int(np.searchsorted(window.label_start, label, "right")) - 1
            pair = window.label_refs[2 * label : 2 * label + 2].tolist()
            message = f"no postings list has its label {self._words(pair)}"
            self._report.error(
                "postings-missing", INDEX_FILE, message, offset=window.offset(row), series=window.name(row)
            )
            begin = label + 1

    def compare(self, source: Source, series: SeriesReader) -> None:
        """Tell of lists that do not hold just the series that have their pair."""
        lists = self._lists
        if not series.sound or not self._complete:
            return
        known = lists.readable & (lists.pairs >> np.uint64(32) != NO_SYMBOL)
        differ = (lists.counts != self._counts) | (lists.sums != self._sums)
        rows = np.flatnonzero(known & differ)
        members = self._members(series, rows[:EXPLAINED])
        for number, row in enumerate(rows.tolist()):
            pair = int(lists.pairs[row])
            what = f"the postings list of {self._words([pair >> 32, pair & 0xFFFFFFFF])}"
            message = f"{what} has {lists.counts[row]} series, but {self._counts[row]} have the label"
            first = None
            if number < EXPLAINED:
                message, first = _difference(what, read_list(source, lists, row), members[number])
            self._report.error("postings-differ", INDEX_FILE, message, offset=int(lists.starts[row]) - 4, series=first)

    def _members(self, series: SeriesReader, rows: NDArray[np.int64]) -> list[NDArray[np.uint32]]:
        """The refs of all series that have the pairs of these lists, by list."""
        found: list[list[NDArray[np.uint32]]] = [[] for _ in rows]
        for window in series.windows() if len(rows) else ():
            labels = window.label_refs.reshape(-1, 2).astype(np.uint64)
            pairs = labels[:, 0] << np.uint64(32) | labels[:, 1]
            for members, pair in zip(found, self._lists.pairs[rows], strict=True):
                at = np.flatnonzero(pairs == pair)
                members.append(window.refs[np.searchsorted(window.label_start, at, "right") - 1])
        return [np.concatenate([np.empty(0, np.uint32), *members]) for members in found]

    def _words(self, pair: list[int]) -> str:
        return label_text(self._symbols, [pair])


def _difference(what: str, listed: NDArray[np.uint32], members: NDArray[np.uint32]) -> tuple[str, SeriesName | None]:
    """What is wrong with a list, and the first series that it is about."""
    missing, surplus = np.setdiff1d(members, listed), np.setdiff1d(listed, members)
    parts = []
    if len(missing):
        parts.append(f"leaves out {len(missing)} of {len(members)} series with the label, first {missing[0]}")
    if len(surplus):
        parts.append(f"holds {len(surplus)} refs of other series or of none, first {surplus[0]}")
    odd = np.concatenate((missing[:1], surplus[:1]))
    return f"{what} {' and '.join(parts)}", SeriesName(int(odd.min()), str) if len(odd) else None
