"""Final label sets of a block's series: external labels merged in, replica labels left out, still in order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storegate.index.symbols import Symbols
from storegate.kernels import labels as kernel
from storegate.query.request import Shard
from storegate.query.wire import uvarint

LABEL_BYTES = 32
"""What a label takes when encoded, roughly."""
FEW_SETS = 256
MAX_RESERVED = 64 << 20


@dataclass(slots=True)
class Overlay:
    """What happens to the labels of every series of a block, in terms of its symbols."""

    dropped: NDArray[np.int64]  # ordinals of names that are left out
    bounds: NDArray[np.int64]  # per external label: the first symbol that is not before its name
    fields: bytes  # the external labels, encoded
    starts: NDArray[np.int64]  # where each begins in `fields`


def overlay(symbols: Symbols, external: Mapping[str, str], without: tuple[str, ...]) -> Overlay:
    """External labels win over the block's own; one with an empty value, and every name in `without`, is left out.

    The last one made is kept with the symbols, of which there is one set per open index-header: most requests name the
    same replica labels. Threads may replace it under one another, which costs time only.
    """
    key = (tuple(external.items()), without)
    kept: tuple[object, Overlay] | None = symbols.kept
    if kept is not None and kept[0] == key:
        return kept[1]
    made = _overlay(symbols, external, without)
    symbols.kept = (key, made)
    return made


def _overlay(symbols: Symbols, external: Mapping[str, str], without: Collection[str]) -> Overlay:
    dropped, bounds, fields = [], [], []
    for name in sorted({*external, *without}, key=str.encode):
        ordinal, known = symbols.find(name.encode())
        if known:
            dropped.append(ordinal)
        value = external.get(name, "")
        if value and name not in without:
            bounds.append(ordinal)
            fields.append(_field(name.encode(), value.encode()))
    starts = np.zeros(len(fields) + 1, np.int64)
    np.cumsum([len(field) for field in fields], out=starts[1:])
    return Overlay(np.array(dropped, np.int64), np.array(bounds, np.int64), b"".join(fields), starts)


class LabelArena:
    """Encoded label sets end to end (see `storegate.kernels.labels`), in an array that grows. Not thread-safe.

    `expected` is about how many sets there will be; room that is not used is never touched.
    """

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._sets = 0
        self.data: NDArray[np.uint8] = np.empty(0, np.uint8)
        self.size = 0

    @property
    def values(self) -> NDArray[np.uint8]:
        """All sets that were added."""
        return self.data[: self.size]

    def encode(
        self, symbols: Symbols, label_start: NDArray[np.int64], label_refs: NDArray[np.uint32], overlay: Overlay
    ) -> NDArray[np.int64]:
        """Add the sets of some series, and return where each begins, and the last ends."""
        n = len(label_start) - 1
        starts = np.empty(n + 1, np.int64)
        starts[0] = self.size
        few = min(n, FEW_SETS)  # what these take tells what all will
        self._grow(int(label_start[few]) * LABEL_BYTES + few * len(overlay.fields), 0)
        done = 0
        while True:
            done = kernel.encode_labels(
                symbols.data, symbols.positions, symbols.base, label_start, label_refs, overlay.dropped,
                overlay.bounds, overlay.fields, overlay.starts, self.data, starts, done,
            )  # fmt: skip
            self.size = int(starts[done])
            if done == n:
                self._sets += n
                return starts
            each = self.size / max(self._sets + done, 1)
            wanted = int(1.05 * each * max(self._expected, self._sets + n))
            more = len(self.data) - self.size + len(self.data) // 4 + 1  # a set may be longer than any before
            self._grow(more, min(wanted, max(MAX_RESERVED, 2 * len(self.data))))

    def keep(self, starts: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of the sets that were added last, at `starts`, keep the chosen ones; where these begin, and the last ends."""
        kept, index = spans(starts, rows)
        begin, size = int(starts[0]), int(kept[-1])
        self.data[begin : begin + size] = self.data[index]
        self.size = begin + size
        return kept + begin

    def _grow(self, more: int, size: int) -> None:
        """Make room for `more` bytes behind what is there; a new array has at least `size`."""
        if self.size + more <= len(self.data):
            return
        data = np.empty(max(size, self.size + more), np.uint8)
        data[: self.size] = self.data[: self.size]
        self.data = data


def spans(starts: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """New cuts, from 0 on, for the chosen rows, and the index of every element that they hold."""
    lengths = starts[rows + 1] - starts[rows]
    cuts = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(lengths, out=cuts[1:])
    index = np.arange(cuts[-1]) + np.repeat(starts[rows] - cuts[:-1], lengths)
    return cuts, index


def keeps_order(label_start: NDArray[np.int64], label_refs: NDArray[np.uint32], overlay: Overlay) -> bool:
    """Whether the final label sets ascend strictly, without looking at their bytes; False when that is not plain."""
    return not len(overlay.dropped) and bool(kernel.keeps_order(label_start, label_refs, overlay.bounds))


def shard_mask(arena: NDArray[np.uint8], starts: NDArray[np.int64], shard: Shard) -> NDArray[np.bool_]:
    """Which label sets belong to the shard (StoreAPI 4.4); an index outside the range selects none."""
    keep = np.zeros(len(starts) - 1, np.uint8)
    if 0 <= shard.index < shard.total:
        names = [name.encode() for name in sorted(set(shard.labels))]
        cuts = np.zeros(len(names) + 1, np.int64)
        np.cumsum([len(name) for name in names], out=cuts[1:])
        kernel.shard_mask(arena, starts, b"".join(names), cuts, shard.by, shard.total, shard.index, keep)
    return keep.astype(np.bool_)


def sorted_order(arena: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The order of the label sets; None when they are in order as they are."""
    if kernel.first_unsorted(arena, starts) < 0:
        return None
    order = np.arange(len(starts) - 1)
    kernel.sort_labels(arena, starts, order, np.empty_like(order))
    return order


def _field(name: bytes, value: bytes) -> bytes:
    body = b"\x0a" + uvarint(len(name)) + name + b"\x12" + uvarint(len(value)) + value
    return b"\x0a" + uvarint(len(body)) + body
