"""A window: some series of the merged order, their chunks read, checked, folded and measured (StoreAPI 7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from storegate.errors import CorruptError
from storegate.kernels import SHORT, explain, plan
from storegate.kernels import chunks as kernel
from storegate.kernels import frames as frame_kernel
from storegate.query.call import Call
from storegate.query.chunk_pool import ChunkPool, PoolShare
from storegate.query.limits import Limits
from storegate.query.merge import MergedSeries
from storegate.query.stats import QueryStats
from storegate.reads import Batch, Read, Reader, new_arena
from storegate.types import Partitioner

MAX_CHUNK = 1 << 30
WINDOW_BYTES = 64 << 20
"""A window that would read more, gaps and all, gets fewer series, but one at least."""
PROBE = 32
"""Bytes that tell the length of a chunk, of which not even that was read."""
_LOW32 = 0xFFFFFFFF
_EMPTY = memoryview(b"")


@dataclass(slots=True)
class WindowContext:
    """What all windows of a request share. Bit a of `aggregates` asks for aggregate a."""

    merged: MergedSeries
    reader: Reader
    partitioner: Partitioner
    limits: Limits
    stats: QueryStats
    call: Call
    pool: ChunkPool
    aggregates: int


class Window:
    """Series from `order[begin]` on: at most `series`, fewer once they hold `chunks` chunks. Not thread-safe.

    `start` begins the reads, `finish` waits and measures, `write` gives bytes. `start` settles `series` and `end`:
    where wanted chunks lie far from one another, and gaps are read over, fewer series keep the window small.
    """

    def __init__(self, context: WindowContext, begin: int, series: int, chunks: int) -> None:
        self._context = context
        self._begin, self._most = begin, chunks
        self._choose(series)
        self._share = PoolShare(context.pool)
        self._arena = _EMPTY
        self._reads: list[Read] = []
        self._batch: Batch | None = None

    @property
    def read_size(self) -> int:
        """Bytes that were planned to be read."""
        return len(self._arena)

    @property
    def reading(self) -> bool:
        """Whether reads are under way in the background."""
        return self._batch is not None and not self._batch.done

    # --- reading ---

    def start(self) -> None:
        """Plan the reads; begin them unless they are quick enough to be done in `finish`."""
        if not self.chunks:
            return
        size = self._plan()
        while size > WINDOW_BYTES and self.series > 1:
            self._choose(max(1, self.series * WINDOW_BYTES // (2 * size)))
            size = self._plan() if self.chunks else 0
        if not self.chunks:
            return
        self._allocate(size)
        reader = self._context.reader
        if not reader.immediate:  # a single read, too: the next windows begin theirs meanwhile
            self._batch = reader.start(self._reads, self._context.call)

    def _choose(self, series: int) -> None:
        merged, begin, most = self._context.merged, self._begin, self._most
        if merged.plain:  # every row is a series of its own
            cuts = merged.chunk_start[begin : begin + series + 1]
            series = int(np.searchsorted(cuts[1:-1], cuts[0] + most)) + 1
            self.series, self.end = series, begin + series
            self._leaders = merged.order[begin : self.end]
            self._groups = cuts[: series + 1] - cuts[0]
            self._rows = merged.chunks[int(cuts[0]) : int(cuts[series])]
        else:
            leaders, groups = np.empty(series, np.int64), np.empty(series + 1, np.int64)
            gather = (
                merged.order, merged.first, begin, series, most, merged.chunk_start, merged.chunks, leaders, groups,
            )  # fmt: skip
            self.end, self.series, chunks = plan.gather_chunks(*gather, None)
            self._rows = np.empty((chunks, 4), np.int64)
            plan.gather_chunks(*gather, self._rows)
            self._leaders, self._groups = leaders[: self.series], groups[: self.series + 1]
        self.chunks = len(self._rows)

    def _plan(self) -> int:
        """Settle which bytes to read; how many they are."""
        context, m = self._context, self.chunks
        files = context.merged.files
        order, spare = np.empty(m, np.int64), np.empty(m, np.int64)
        starts, ends = np.empty(m, np.int64), np.empty(m, np.int64)
        runs = np.empty(len(files) + 1, np.int64)
        status, found = plan.plan_chunks(self._rows, files, order, spare, starts, ends, runs)
        if status:
            raise self._corrupt(status, found)
        self._order, self._starts = order, starts
        cuts = []
        bounds = runs[: found + 1].tolist()
        for low, high in pairwise(bounds):
            inside = context.partitioner.partition(starts[low:high], ends[low:high])
            cuts.append(inside + low if low else inside)
        firsts = cuts[0] if len(cuts) == 1 else np.concatenate(cuts)
        self._table, size = plan.join_ranges(firsts, starts, ends)
        self._numbers = self._rows[order[firsts], 2] >> 32
        return size

    def _allocate(self, size: int) -> None:
        context = self._context
        context.limits.charge(size, "fetching chunks")
        self._share.take(size)
        self._arena = new_arena(size)
        names = context.merged.keys
        self._reads = [
            Read(names[number], offset, self._arena[at : at + length])
            for number, (_, offset, at, length) in zip(self._numbers.tolist(), self._table.tolist(), strict=True)
        ]
        context.stats.add(chunks_fetched=self.chunks, chunks_fetched_size_sum=size, chunks_fetch_count=len(self._reads))

    def finish(self) -> None:
        """Wait for the reads, then check, hash, fold and measure. Raises CorruptError and the store's errors."""
        context, m = self._context, self.chunks
        places = np.empty((m, 2), np.int64)
        if m:
            if self._batch is not None:
                self._batch.wait(context.call)
            else:
                context.reader.run(self._reads, context.call)
            self._table[:, 3] = [read.got for read in self._reads]
            plan.place_chunks(self._order, self._starts, self._table, places)
        self._parse(places)
        self._fold()
        self._measure()

    def _parse(self, places: NDArray[np.int64]) -> None:
        m = self.chunks
        state = np.zeros(3, np.int64)
        self._sub_start = np.zeros(m + 1, np.int64)
        self._subs = np.empty((5 * m, 4), np.int64)
        self._hashes = np.empty(5 * m, np.uint64)
        while True:
            status = kernel.parse_chunks(
                self._arena, places, self._context.aggregates, state, self._sub_start, self._subs, self._hashes
            )
            if status != SHORT:
                break
            self._refetch(int(state[0]), int(state[1]), places)
        if status == 24:
            raise self._corrupt(status, int(state[0]), f" {state[1]}")
        if status:
            raise self._corrupt(status, int(state[0]))
        self._context.stats.add(chunks_touched=m, chunks_touched_size_sum=int(state[2]))

    def _refetch(self, i: int, need: int, places: NDArray[np.int64]) -> None:
        """Read chunk i again, which is longer than was guessed, and with it all others that their reads cut off."""
        context = self._context
        needs = {i: need}
        for last in self._order[np.append(self._table[1:, 0], self.chunks) - 1].tolist():
            if missing := _missing(self._arena, places[last]):
                needs[last] = missing
        for chunk, size in needs.items():
            self._check_claim(chunk, size, int(places[chunk, 1] - places[chunk, 0]))
        total = sum(needs.values())
        context.limits.charge(total, "fetching chunks")
        self._share.take(total)
        at = len(self._arena)
        arena = new_arena(at + total)
        arena[:at] = self._arena
        reads = []
        for chunk, size in needs.items():
            key = int(self._rows[chunk, 2])
            reads.append(Read(context.merged.keys[key >> 32], key & _LOW32, arena[at : at + size]))
            at += size
        context.reader.run(reads, context.call)
        at = len(self._arena)
        for chunk, read in zip(needs, reads, strict=True):
            if read.got <= places[chunk, 1] - places[chunk, 0]:
                raise self._corrupt(22, chunk)
            places[chunk] = (at, at + read.got)
            at += len(read.buffer)
        self._arena = arena
        context.stats.add(chunks_refetches=len(reads), chunks_fetched=len(reads), chunks_fetched_size_sum=total)

    def _check_claim(self, chunk: int, need: int, have: int) -> None:
        """Whether a chunk that says it takes `need` bytes can be true; a probe for its length is always allowed."""
        key = int(self._rows[chunk, 2])
        left = int(self._context.merged.files[key >> 32, 1]) - (key & _LOW32)  # negative where the size is unknown
        if need <= have or need > MAX_CHUNK or 0 <= left <= (have if need == PROBE else need - 1):
            raise self._corrupt(22, chunk)

    # --- folding and writing ---

    def _fold(self) -> None:
        self._kept, self._kept_start = kernel.fold_chunks(
            self._arena, self._groups, self._leaders, self._context.merged.chunk_start, self._rows, self._sub_start,
            self._subs, self._hashes,
        )  # fmt: skip
        self.kept = len(self._kept)

    def _measure(self) -> None:
        merged = self._context.merged
        self._chunk_size = np.empty(self.chunks, np.int64)
        self._size = np.empty(self.series, np.int64)
        frame_kernel.measure_series(
            merged.label_start, self._leaders, self._kept_start, self._kept, self._rows, self._sub_start, self._subs,
            self._hashes, self._chunk_size, self._size,
        )  # fmt: skip

    def chunk_sizes(self) -> NDArray[np.int64]:
        """Bytes of the encoded AggrChunks of each series."""
        merged = self._context.merged
        return self._size - (merged.label_start[self._leaders + 1] - merged.label_start[self._leaders])

    def write(self, begin: int, end: int, per_frame: int, *, headed: bool = True) -> list[bytes]:
        """Frames of the series `begin` to `end` of this window (see `storegate.kernels.frames.write_frames`)."""
        merged = self._context.merged
        frames: list[bytes] = frame_kernel.write_frames(
            begin, end, per_frame, headed, merged.labels, self._arena, merged.label_start, self._leaders,
            self._kept_start, self._kept, self._rows, self._sub_start, self._subs, self._hashes, self._chunk_size,
            self._size,
        )  # fmt: skip
        return frames

    def _corrupt(self, status: int, chunk: int, detail: str = "") -> CorruptError:
        key = int(self._rows[chunk, 2])
        names = self._context.merged.keys
        number = key >> 32
        name = names[number] if 0 <= number < len(names) else "chunks"
        error = CorruptError(explain(status) + detail, object=name, offset=key & 0xFFFFFFFF)
        error.block = name.partition("/")[0]
        error.stage = "chunks"
        return error


def _missing(arena: memoryview, place: NDArray[np.int64]) -> int:
    """Bytes that a chunk takes, when the place that it was read to is too short; 0 when it is not."""
    start, end = place.tolist()
    length = shift = 0
    for at in range(start, min(end, start + 5)):
        length |= (arena[at] & 0x7F) << shift
        shift += 7
        if arena[at] < 0x80:
            need = at + 1 - start + 1 + length + 4
            return need if need > end - start else 0
    return PROBE if end < start + 5 else 0  # a length that goes on is damage, not a cut
