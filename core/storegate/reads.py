"""Reads of byte ranges, many at a time, from a cache and the store behind it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Protocol

import numpy as np

from storegate.errors import StoregateError
from storegate.flights import Flight, when_all_landed
from storegate.objstore import ReadInto, read_into_of
from storegate.query.call import Call, working_for
from storegate.types import LearnsFromReads, ObjectStore


@dataclass(slots=True)
class Read:
    """One range read into `buffer`; `got` is the number of bytes that came, fewer only where the object ends."""

    measured: ClassVar[bool] = True
    """Whether what it takes says something about the store."""

    key: str
    offset: int
    buffer: memoryview
    got: int = 0
    error: BaseException | None = None

    def perform(self, read_into: ReadInto) -> None:
        """Ask the store; may block."""
        self.got = read_into(self.key, self.offset, self.buffer)

    def landed(self) -> Taken | None:
        """Called after `perform`; what is left to be done for those who wait for it."""
        return None

    def failed(self, error: BaseException | None) -> None:
        """Called, perhaps more than once, when `perform` raised or is not going to be called."""


@dataclass(slots=True)
class Waiting:
    """Bytes that other requests are fetching. `settle` is called once all flights have landed, on any thread.

    It fills in the bytes, or returns a read to do when a flight was given up, or raises why there are none.
    """

    flights: list[Flight]
    settle: Callable[[], Read | None]


@dataclass(slots=True)
class Taken:
    """What is left of some reads after the cache was asked."""

    reads: list[Read] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)


class ReadCache(Protocol):
    """A cache of what is read. Thread-safe."""

    @property
    def quick(self) -> bool:
        """Whether `take` is a matter of microseconds."""

    def take(self, reads: Sequence[Read]) -> Taken:
        """Fill what is at hand. The reads that are left go to the store, and end in `landed` or `failed`."""


def new_arena(size: int) -> memoryview:
    """`size` bytes to read into; their content is undefined."""
    return memoryview(np.empty(size, np.uint8))  # type: ignore[arg-type]


class Batch:
    """Reads under way. `wait` returns when all are done; the first error is raised there. `later` have not begun."""

    def __init__(self, count: int, later: Iterable[Read] = ()) -> None:
        self._left = count
        self._later = deque(later)
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._error: BaseException | None = None

    def more(self, count: int, later: Iterable[Read] = ()) -> None:
        """So many more are to end before all is done. To be called by one that has not ended."""
        with self._lock:
            self._left += count
            self._later.extend(later)

    def finished(self, error: BaseException | None) -> None:
        """One read ended."""
        dropped: Iterable[Read] = ()
        with self._lock:
            self._left -= 1
            if error is not None and self._error is None:
                self._error = error
            if self._error is not None:
                dropped, self._later = self._later, deque()
            if self._left <= 0 or self._error is not None:
                self._done.set()
        for read in dropped:
            read.failed(None)

    def next_read(self) -> Read | None:
        """One that has not begun; None when there is none, or an error makes it useless."""
        with self._lock:
            return self._later.popleft() if self._later else None

    def wait(self, call: Call) -> None:
        """Raises the first error of a read, CancelledError, or DeadlineError."""
        if not self._done.is_set():
            call.wait(self._done)
        if self._error is not None:
            raise self._error

    @property
    def failed(self) -> bool:
        return self._error is not None

    @property
    def done(self) -> bool:
        """Whether `wait` returns at once."""
        return self._done.is_set()


class Reader:
    """Reads ranges of one bucket. Thread-safe; `pool` is shared by all queries, and `cache` is asked before the store.

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

    def __init__(
        self,
        store: ObjectStore,
        pool: Executor,
        cache: ReadCache | None = None,
        learner: LearnsFromReads | None = None,
    ) -> None:
        self._read_into = read_into_of(store)
        self._pool = pool
        self._cache = cache
        self._learner = learner
        self._seconds = self.UNKNOWN_SECONDS  # of one read, a decaying low quantile
        self._lookup_seconds = self.UNKNOWN_SECONDS

    def run(self, reads: Sequence[Read], call: Call) -> None:
        """Do all reads and return. A slow store is left to the pool: a read that stalls must not outlive the call."""
        if reads and not self.immediate:
            self.start(reads, call).wait(call)
        elif reads:
            with working_for(call):
                if self._cache is not None:
                    finish_here(self._cache.take(reads), partial(self._checked_one, call), call.wait)
                    return
                for read in reads:
                    self._checked_one(call, read)

    def quick(self, count: int) -> bool:
        """Whether so many reads are a matter of microseconds, and better done at once by the caller."""
        return self._seconds * count < self.INLINE_SECONDS and (self._cache is None or self._cache.quick)

    @property
    def immediate(self) -> bool:
        """Whether reads are best done one by one by the thread that needs them."""
        return self._seconds < self.HANDOVER_SECONDS and (self._cache is None or self._cache.quick)

    @property
    def quick_lookup(self) -> bool:
        """Whether the cache answers within microseconds."""
        return self._lookup_seconds < self.INLINE_SECONDS

    def looked_up(self, seconds: float) -> None:
        """Remember what a lookup in the cache took."""
        self._lookup_seconds += (seconds - self._lookup_seconds) * 0.2

    def start(self, reads: Sequence[Read], call: Call) -> Batch:
        """Begin all reads on the pool; what a quick cache holds is there when this returns."""
        if self._cache is not None:
            batch = Batch(1)
            if self._cache.quick:
                self._begin(self._cache, reads, call, batch)
            else:
                self._pool.submit(self._begin, self._cache, reads, call, batch)
            return batch
        batch = Batch(len(reads), reads[self.AT_ONCE :])
        for read in reads[: self.AT_ONCE]:
            self._pool.submit(self._guarded, read, call, batch)
        if not reads:
            batch.finished(None)
        return batch

    def _begin(self, cache: ReadCache, reads: Sequence[Read], call: Call, batch: Batch) -> None:
        error: BaseException | None = None
        try:
            call.check()
            self._follow(cache.take(reads), call, batch)
        except BaseException as caught:
            error = caught
        batch.finished(error)

    def _follow(self, taken: Taken, call: Call, batch: Batch) -> None:
        """Let the pool do what is left, as a part of the batch."""
        now, later = taken.reads[: self.AT_ONCE], taken.reads[self.AT_ONCE :]
        batch.more(len(taken.reads) + len(taken.waiting), later)
        for read in now:
            self._submit(read, call, batch)
        for waiting in taken.waiting:
            when_all_landed(waiting.flights, partial(self._settle, waiting, call, batch))

    def _submit(self, read: Read, call: Call, batch: Batch) -> None:
        try:
            self._pool.submit(self._guarded, read, call, batch)
        except RuntimeError as error:  # the pool is shut down
            read.failed(None)
            batch.finished(error)

    def _guarded(self, read: Read, call: Call, batch: Batch) -> None:
        error: BaseException | None = None
        try:
            if batch.failed:
                read.failed(None)
            else:
                with working_for(call):
                    self._checked_one(call, read)
                if (left := read.landed()) is not None:
                    self._follow(left, call, batch)
        except BaseException as caught:
            error = caught
            read.failed(caught)
        if error is None and (following := batch.next_read()) is not None:
            self._submit(following, call, batch)
        batch.finished(error)

    def _settle(self, waiting: Waiting, call: Call, batch: Batch) -> None:
        error: BaseException | None = None
        try:
            again = waiting.settle()
        except BaseException as caught:
            error, again = caught, None
        if again is None:
            batch.finished(error)
        else:
            self._submit(again, call, batch)

    def _checked_one(self, call: Call, read: Read) -> None:
        call.check()
        self._one(call, read)

    def _one(self, call: Call, read: Read) -> None:
        started = time.perf_counter()
        try:
            read.perform(self._read_into)
        except BaseException as error:
            read.error = error
            if isinstance(error, StoregateError):
                error.block = error.block or read.key.partition("/")[0]  # keys begin with the block's folder
            raise
        if read.measured:
            spent = time.perf_counter() - started
            if call.costs is not None:
                call.costs.read_done(read.key.partition("/")[0], read.got, spent)
            if self._learner is not None:
                self._learner.read_done(read.got, spent)
            more = max(spent - read.got / self.COPY_BYTES_PER_SECOND, 0.0) - self._seconds
            # Down fast, up slowly: threads that wait for the interpreter make some reads look slow.
            self._seconds += more * (0.3 if more < 0 else 0.03)


def finish_here(taken: Taken, perform: Callable[[Read], None], wait: Callable[[threading.Event], object]) -> None:
    """Do what is left on this thread, by `perform`; in the end `wait` for what others fetch."""
    reads, waiting = deque(taken.reads), deque(taken.waiting)
    try:
        while reads or waiting:
            if not reads:
                landed = threading.Event()
                when_all_landed(waiting[0].flights, landed.set)
                wait(landed)
                again = waiting.popleft().settle()
                reads.extend(() if again is None else (again,))
                continue
            perform(reads[0])
            if (left := reads.popleft().landed()) is not None:
                reads.extend(left.reads)
                waiting.extend(left.waiting)
    except BaseException:
        for read in reads:
            read.failed(read.error)
        raise
