"""The matching series of one block as columns: refs -> index pages -> decoded batches -> labels and chunk places."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storegate.block.block import Block
from storegate.errors import CorruptError
from storegate.index.access import Access
from storegate.index.expand import expand_postings, refs_in_range
from storegate.index.header import IndexHeader
from storegate.index.lists import Refs
from storegate.index.matchers import Matcher
from storegate.index.pages import fetch_entries
from storegate.kernels import SHORT, explain
from storegate.kernels import series as kernel
from storegate.query.call import Call
from storegate.query.labelsets import LabelArena, Overlay, keeps_order, overlay, shard_mask, sorted_order, spans
from storegate.query.limits import Limits
from storegate.query.request import Shard
from storegate.steps import Work

STRETCH = 64 << 20
STRETCH_ENTRIES = 100
"""Bytes of the index that are held at once, or so many entries where they lie far from one another."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request wants of every block. Times are ms, inclusive; `limit` 0 or less is none."""

    min_time: int
    max_time: int
    chunks: bool
    without: tuple[str, ...] = ()
    shard: Shard | None = None
    limit: int = 0
    batch: int = 10_000
    series_size: int = 65_536


@dataclass(slots=True)
class Columns:
    """Decoded series: label ordinals cut by `label_start`, chunks cut by `chunk_start` (see `decode_series`)."""

    label_start: NDArray[np.int64]
    label_refs: NDArray[np.uint32]
    chunk_start: NDArray[np.int64]
    chunks: NDArray[np.int64]
    sizes: NDArray[np.int64] | None = None
    """Bytes of the entries, if they were asked for."""

    def __len__(self) -> int:
        return len(self.label_start) - 1


@dataclass(slots=True)
class SelectedSeries:
    """A block's answer before chunks are read, in label order: encoded labels, and per series its chunks' places.

    `labels[label_start[i]:label_start[i + 1]]` are those of series i (see `storegate.kernels.labels`);
    `chunks[chunk_start[i]:chunk_start[i + 1]]` its rows of (mint, maxt, ref, end or 0).
    """

    block: Block
    labels: NDArray[np.uint8]
    label_start: NDArray[np.int64]
    chunk_start: NDArray[np.int64]
    chunks: NDArray[np.int64]
    distinct: bool = False  # known to ascend strictly: no two series have the same labels

    def __len__(self) -> int:
        return len(self.label_start) - 1


Expansion = tuple[Refs, tuple[Matcher, ...]]
"""A block's refs, and the matchers that their series still have to pass."""


def expand_block(
    block: Block, header: IndexHeader, matchers: Sequence[Matcher], digest: str, wanted: Wanted, access: Access,
    limits: Limits,
) -> Work[Expansion]:  # fmt: skip
    """The refs that a block has for the matchers, cut to the request's limit, and the matchers left to test."""
    known = block.meta.series_max_size
    size = known if 0 < known < wanted.series_size else wanted.series_size
    expanded = yield from expand_postings(
        block.meta.ulid, block.index_key, header, matchers, digest, access, series_size=size
    )
    refs = refs_in_range(expanded.refs, header, block.index_key)
    if not expanded.lazy:
        if 0 < wanted.limit < len(refs):
            refs = refs[: wanted.limit]
        limits.series.reserve(len(refs))
    return refs, expanded.lazy


def select_series(
    block: Block, header: IndexHeader, refs: Refs, lazy: Sequence[Matcher], wanted: Wanted, access: Access,
    limits: Limits, call: Call,
) -> Work[SelectedSeries]:  # fmt: skip
    """Decode, filter, encode and order the series of one block."""
    merge = overlay(header.symbols, block.meta.labels, wanted.without)
    labels = LabelArena(len(refs))
    parts: list[SelectedSeries] = []
    found, ordered, previous = 0, True, None
    for begin in range(0, len(refs), wanted.batch):
        call.check()
        columns = yield from decode_entries(
            block, header, refs[begin : begin + wanted.batch], wanted, access, sizes=bool(lazy)
        )
        if lazy:
            columns = test_lazy(columns, header, lazy, access)
        ordered = ordered and _goes_on(previous, columns, merge)
        previous = columns if len(columns) else previous
        part = _encoded(block, header, columns, merge, wanted.shard, labels)
        if lazy:
            limits.series.reserve(len(part))
        limits.chunks.reserve(len(part.chunks))
        parts.append(part)
        found += len(part)
        if 0 < wanted.limit <= found:
            break
    whole = _concatenate(block, labels, parts)
    whole.distinct = ordered
    order = None if ordered else sorted_order(whole.labels, whole.label_start)
    return whole if order is None else take(whole, order)


def _encoded(
    block: Block, header: IndexHeader, columns: Columns, merge: Overlay, shard: Shard | None, labels: LabelArena
) -> SelectedSeries:
    """The series of one batch that belong to the shard; their labels go to the end of the arena."""
    label_start = labels.encode(header.symbols, columns.label_start, columns.label_refs, merge)
    if shard is None or shard.total < 1:
        return SelectedSeries(block, labels.data, label_start, columns.chunk_start, columns.chunks)
    rows = np.flatnonzero(shard_mask(labels.data, label_start, shard))
    chunk_start, index = spans(columns.chunk_start, rows)
    return SelectedSeries(block, labels.data, labels.keep(label_start, rows), chunk_start, columns.chunks[index])


def _goes_on(previous: Columns | None, columns: Columns, merge: Overlay) -> bool:
    """Whether these series are plainly in their final order, behind the last of the previous batch."""
    if previous is not None and len(columns):
        last = previous.label_refs[2 * int(previous.label_start[-2]) : 2 * int(previous.label_start[-1])]
        first = columns.label_refs[: 2 * int(columns.label_start[1])]
        cuts = np.array([0, len(last) // 2, (len(last) + len(first)) // 2], np.int64)
        if not keeps_order(cuts, np.concatenate((last, first)), merge):
            return False
    return keeps_order(columns.label_start, columns.label_refs, merge)


def decode_entries(
    block: Block, header: IndexHeader, refs: Refs, wanted: Wanted, access: Access, *, sizes: bool = False
) -> Work[Columns]:
    """Columns of the series at `refs` that have a chunk in the time range, fetching what the estimate left out."""
    parts: list[Columns] = []
    begin = 0
    while begin < len(refs):
        # Gaps between entries are read over, so that a stretch of the index may cost as much as it is long.
        reach = np.searchsorted(refs, np.int64(int(refs[begin]) + STRETCH // header.scale))
        end = max(int(reach), begin + STRETCH_ENTRIES)
        parts += yield from _decode_stretch(block, header, refs[begin:end], wanted, access, sizes)
        begin = end
    return _join_columns(parts)


def _decode_stretch(
    block: Block, header: IndexHeader, refs: Refs, wanted: Wanted, access: Access, sizes: bool
) -> Work[list[Columns]]:
    estimate, anew = _estimate(block, wanted), False
    parts: list[Columns] = []
    while len(refs):
        started = time.perf_counter()
        arena, runs = yield from fetch_entries(
            block.meta.ulid, block.index_key, header, refs, estimate, access, anew=anew
        )
        access.series_batch(block.meta.ulid, time.perf_counter() - started)
        places = np.empty((len(refs), 2), np.int64)
        if (bad := kernel.locate(refs, header.scale, runs, places)) >= 0:
            raise CorruptError(explain(SHORT), object=block.index_key, offset=int(refs[bad]) * header.scale)
        status, done, columns, size = _decode(arena, places, header, wanted, block.index_key, sizes)
        parts.append(columns)
        access.stats.add(series_touched=done, series_touched_size_sum=size, series_fetched=len(refs))
        if status == 0:
            break
        at = int(refs[done]) * header.scale
        longer = _needed(arena, places[done], estimate)
        if status == SHORT and at + longer <= header.series[1]:
            estimate = longer
        elif not anew:
            anew = True  # perhaps the cache holds damaged pages: the bucket has the last word, and replaces them
        else:
            raise CorruptError(explain(status), object=block.index_key, offset=at)
        access.stats.add(series_refetches=1)
        refs = refs[done:]
    return parts


def _estimate(block: Block, wanted: Wanted) -> int:
    known = block.meta.series_max_size
    return known if 0 < known < wanted.series_size else min(wanted.series_size, 4096)


def _needed(arena: memoryview | bytes, place: NDArray[np.int64], estimate: int) -> int:
    """Bytes that the entry at `place` takes, as far as what is at hand tells."""
    length = shift = 0
    for at in range(int(place[0]), min(int(place[1]), int(place[0]) + 10)):
        length |= (arena[at] & 0x7F) << shift
        shift += 7
        if arena[at] < 0x80:
            return max(estimate + 1, length + shift // 7 + 4)
    return max(estimate + 1, 64)


def _decode(
    arena: memoryview | bytes, places: NDArray[np.int64], header: IndexHeader, wanted: Wanted, key: str, sizes: bool
) -> tuple[int, int, Columns, int]:
    """(status, entries done, columns, bytes decoded)."""
    n, size = len(places), kernel.entries_size(arena, places)
    state = np.zeros(6, np.int64)
    rows = np.empty(n, np.int64)
    label_start = np.zeros(n + 1, np.int64)
    chunk_start = np.zeros(n + 1, np.int64)
    refs = np.empty(size, np.uint32)
    chunks = np.empty((size // 3 if wanted.chunks else 0, 4), np.int64)
    status = kernel.decode_series(
        arena, places, wanted.min_time, wanted.max_time, wanted.chunks, header.symbols.limit, state, rows, label_start,
        refs, chunk_start, chunks,
    )  # fmt: skip
    done, kept, labels, taken, decoded, _ = state.tolist()
    ordinals = header.symbols.ordinals(refs[: 2 * labels].copy(), key)
    columns = Columns(
        label_start[: kept + 1],
        ordinals if header.symbols.in_order else _sorted_by_name(label_start[: kept + 1], ordinals),
        chunk_start[: kept + 1],
        chunks[:taken].copy(),
        _entry_sizes(arena, places[rows[:kept]]) if sizes else None,
    )
    return status, done, columns, decoded


def _entry_sizes(arena: memoryview | bytes, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bytes of whole entries, with their length field and checksum."""
    data, at = np.frombuffer(arena, np.uint8), places[:, 0].copy()
    length = np.zeros(len(places), np.int64)
    more = np.ones(len(places), np.bool_)
    for shift in range(0, 63, 7):
        byte = data[at[more]].astype(np.int64)
        length[more] |= (byte & 0x7F) << shift
        at[more] += 1
        more[more] = byte >= 0x80
        if not more.any():
            break
    return at - places[:, 0] + length + 4


def _sorted_by_name(label_start: NDArray[np.int64], label_refs: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The kernel sorts by ref, which says nothing of the names where version 1 has its symbols in another order."""
    pairs = label_refs.reshape(-1, 2)
    series = np.repeat(np.arange(len(label_start) - 1), np.diff(label_start))
    return np.ascontiguousarray(pairs[np.lexsort((pairs[:, 0], series))]).reshape(-1)


def _join_columns(parts: list[Columns]) -> Columns:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Columns(np.zeros(1, np.int64), np.empty(0, np.uint32), np.zeros(1, np.int64), np.empty((0, 4), np.int64))
    return Columns(
        _join_starts([part.label_start for part in parts]),
        np.concatenate([part.label_refs for part in parts]),
        _join_starts([part.chunk_start for part in parts]),
        np.concatenate([part.chunks for part in parts]),
        None if parts[0].sizes is None else np.concatenate([part.sizes for part in parts if part.sizes is not None]),
    )


def _join_starts(starts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Cuts of parts -> cuts of their concatenation."""
    joined = [np.zeros(1, np.int64)]
    end = 0
    for part in starts:
        joined.append(part[1:] + end)
        end += int(part[-1])
    return np.concatenate(joined)


def _concatenate(block: Block, labels: LabelArena, parts: list[SelectedSeries]) -> SelectedSeries:
    """All batches of a block; their labels lie end to end already."""
    if len(parts) == 1:
        parts[0].labels = labels.values
        return parts[0]
    if not parts:
        return SelectedSeries(
            block, labels.values, np.zeros(1, np.int64), np.zeros(1, np.int64), np.empty((0, 4), np.int64)
        )
    return SelectedSeries(
        block,
        labels.values,
        np.concatenate([parts[0].label_start, *(part.label_start[1:] for part in parts[1:])]),
        _join_starts([part.chunk_start for part in parts]),
        np.concatenate([part.chunks for part in parts]),
    )


def test_lazy(columns: Columns, header: IndexHeader, lazy: Sequence[Matcher], access: Access) -> Columns:
    """Leave out the series that a matcher, whose postings were not read, refuses."""
    keep = np.ones(len(columns), np.bool_)
    for matcher in lazy:
        values = label_column(columns, header, matcher.name)
        ordinals, inverse = np.unique(values, return_inverse=True)
        passes = matcher.mask([header.symbols.text(o) if o >= 0 else b"" for o in ordinals.tolist()])
        keep &= passes[inverse] if len(passes) else keep
    if keep.all():
        return columns
    if columns.sizes is not None:
        dropped = int(columns.sizes[~keep].sum())
        access.metrics.lazy_expanded_posting_series_overfetched_size_bytes_total.inc(dropped)
    return _take_columns(columns, np.flatnonzero(keep))


def label_column(columns: Columns, header: IndexHeader, name: bytes) -> NDArray[np.int64]:
    """The value ordinal of a label in each series, -1 where it has none."""
    ordinal, known = header.symbols.find(name)
    out = np.full(len(columns), -1, np.int64)
    if known:
        kernel.label_column(columns.label_start, columns.label_refs, ordinal, out)
    return out


def _take_columns(columns: Columns, rows: NDArray[np.int64]) -> Columns:
    label_start, labels = spans(columns.label_start, rows)
    chunk_start, chunks = spans(columns.chunk_start, rows)
    pairs = columns.label_refs[: 2 * int(columns.label_start[-1])].reshape(-1, 2)[labels]
    return Columns(label_start, np.ascontiguousarray(pairs).reshape(-1), chunk_start, columns.chunks[chunks])


def take(part: SelectedSeries, rows: NDArray[np.int64]) -> SelectedSeries:
    """The chosen series, in the order of `rows`."""
    label_start, labels = spans(part.label_start, rows)
    chunk_start, chunks = spans(part.chunk_start, rows)
    return SelectedSeries(part.block, part.labels[labels], label_start, chunk_start, part.chunks[chunks])
