"""Reads of byte ranges, many at a time, and the steps in which blocks ask for them.

Work on a block is a generator that yields what it needs next: a `Lookup` in the cache, or a list of `Read`. `drive`
runs the generators of all blocks side by side: one round trip serves every block, and nothing waits in a thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from storegate.errors import StoregateError
from storegate.objstore import read_into_of
from storegate.query.call import Call
from storegate.types import Cache, ObjectStore

T = TypeVar("T")


@dataclass(slots=True)
class Read:
    """One range read into `buffer`; `got` is the number of bytes that came, fewer only where the object ends."""

    key: str
    offset: int
    buffer: memoryview
    got: int = 0


@dataclass(frozen=True, slots=True)
class Lookup:
    """Keys to ask the cache for. The generator is sent the values that were there, by key."""

    keys: list[str]


Step = Lookup | list[Read]
Work = Generator[Step, dict[str, bytes], T]


def new_arena(size: int) -> memoryview:
    """`size` bytes to read into; their content is undefined."""
    return memoryview(np.empty(size, np.uint8))  # type: ignore[arg-type]


class Batch:
    """Reads under way. `wait` returns when all are done; the first error is raised there. `later` have not begun."""

    def __init__(self, count: int, later: Iterable[Read] = ()) -> None:
        self._left = count
        self._later = iter(later)
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._error: BaseException | None = None

    def finished(self, error: BaseException | None) -> None:
        """One read ended."""
        with self._lock:
            self._left -= 1
            if error is not None and self._error is None:
                self._error = error
            if self._left <= 0 or self._error is not None:
                self._done.set()

    def next_read(self) -> Read | None:
        """One that has not begun; None when there is none, or an error makes it useless."""
        with self._lock:
            return None if self._error is not None else next(self._later, None)

    def wait(self, call: Call) -> None:
        """Raises the first error of a read, CancelledError, or DeadlineError."""
        if not self._done.is_set():
            call.wait(self._done)
        if self._error is not None:
            raise self._error

    @property
    def failed(self) -> bool:
        return self._error is not None


class Reader:
    """Reads ranges of one bucket. Thread-safe; `pool` is shared by all queries.

    Where the store answers within microseconds (a local disk) a few reads are done at once by the caller: handing them
    to threads would cost more. What the store takes is measured all the time.
    """

    INLINE_SECONDS = 0.001
    COPY_BYTES_PER_SECOND = 2e9
    """What copying from the page cache takes at least; it says nothing about the store."""
    HANDOVER_SECONDS = 0.0002
    """A read that takes less is not worth a hand-over to another thread."""
    AT_ONCE = 64
    """Reads of a batch that the pool has at the same time: the next one queues behind those of other queries."""
    UNKNOWN_SECONDS = 0.005
    """What a read is taken to cost before any was measured."""

    def __init__(self, store: ObjectStore, pool: Executor) -> None:
        self._read_into = read_into_of(store)
        self._pool = pool
        self._seconds = self.UNKNOWN_SECONDS  # of one read, a decaying low quantile
        self._lookup_seconds = self.UNKNOWN_SECONDS

    def run(self, reads: Sequence[Read], call: Call) -> None:
        """Do all reads and return."""
        if len(reads) <= 1 or self.immediate:
            for read in reads:
                call.check()
                self._one(read)
        else:
            self.start(reads, call).wait(call)

    def quick(self, count: int) -> bool:
        """Whether so many reads are a matter of microseconds, and better done at once by the caller."""
        return self._seconds * count < self.INLINE_SECONDS

    @property
    def immediate(self) -> bool:
        """Whether reads are best done one by one by the thread that needs them."""
        return self._seconds < self.HANDOVER_SECONDS

    @property
    def quick_lookup(self) -> bool:
        """Whether the cache answers within microseconds."""
        return self._lookup_seconds < self.INLINE_SECONDS

    def looked_up(self, seconds: float) -> None:
        """Remember what a lookup in the cache took."""
        self._lookup_seconds += (seconds - self._lookup_seconds) * 0.2

    def start(self, reads: Sequence[Read], call: Call) -> Batch:
        """Begin all reads on the pool."""
        batch = Batch(len(reads), reads[self.AT_ONCE :])
        for read in reads[: self.AT_ONCE]:
            self._pool.submit(self._guarded, read, call, batch)
        if not reads:
            batch.finished(None)
        return batch

    def _guarded(self, read: Read, call: Call, batch: Batch) -> None:
        error: BaseException | None = None
        try:
            if not batch.failed:
                call.check()
                self._one(read)
            if (following := batch.next_read()) is not None:
                self._pool.submit(self._guarded, following, call, batch)
        except BaseException as caught:
            error = caught
        batch.finished(error)

    def _one(self, read: Read) -> None:
        started = time.perf_counter()
        try:
            read.got = self._read_into(read.key, read.offset, read.buffer)
        except StoregateError as error:
            error.block = error.block or read.key.partition("/")[0]  # keys begin with the block's folder
            raise
        spent = time.perf_counter() - started - read.got / self.COPY_BYTES_PER_SECOND
        more = max(spent, 0.0) - self._seconds
        # Down fast, up slowly: threads that wait for the interpreter make some reads look slow.
        self._seconds += more * (0.3 if more < 0 else 0.03)


class Fetcher:
    """Serves the steps of many blocks: lookups by one cache call for all, reads by one batch for all."""

    def __init__(self, reader: Reader, cache: Cache | None, call: Call) -> None:
        self.reader = reader
        self.call = call
        self._cache = cache

    def quick(self, reads: int) -> bool:
        """Whether a lookup in the cache and so many reads are a matter of microseconds."""
        return self.reader.quick_lookup and self.reader.quick(reads)

    def drive(self, works: Iterable[tuple[str, Work[T]]]) -> list[T]:
        """Run the generators to their ends and return their values, in order.

        Each comes with the ULID of its block, which is put on a StoregateError that has none.
        """
        results: dict[int, T] = {}
        waiting: list[tuple[int, str, Work[T], Step]] = []
        for i, (block, work) in enumerate(works):
            self.call.check()
            self._advance(i, block, work, None, waiting, results)
        while waiting:
            self.call.check()
            found = self._lookup([step for _, _, _, step in waiting if isinstance(step, Lookup)])
            self.reader.run([read for _, _, _, step in waiting if isinstance(step, list) for read in step], self.call)
            resumed, waiting = waiting, []
            for i, block, work, _ in resumed:
                self._advance(i, block, work, found, waiting, results)
        return [results[i] for i in range(len(results))]

    def _advance(
        self,
        i: int,
        block: str,
        work: Work[T],
        found: dict[str, bytes] | None,
        waiting: list[tuple[int, str, Work[T], Step]],
        results: dict[int, T],
    ) -> None:
        try:
            step = next(work) if found is None else work.send(found)
        except StopIteration as end:
            results[i] = end.value
        except StoregateError as error:
            error.block = error.block or block
            raise
        else:
            waiting.append((i, block, work, step))

    def _lookup(self, lookups: list[Lookup]) -> dict[str, bytes]:
        if self._cache is None or not lookups:
            return {}
        started = time.perf_counter()
        found = self._cache.get_many([key for lookup in lookups for key in lookup.keys])
        self.reader.looked_up(time.perf_counter() - started)
        return found
