"""The steps in which work on many blocks asks for what it needs.

Work on a block is a generator that yields what it needs next: a `Lookup` in the cache, a list of `Read`, or to `Wait`
for what other requests fetch. `drive` runs the generators of all blocks side by side: one round trip serves every
block, and nothing waits in a thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import Histogram

from storegate.errors import StoregateError
from storegate.flights import Flight
from storegate.query.call import Call
from storegate.reads import Read, Reader
from storegate.types import Cache

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lookup:
    """Keys to ask the cache for. The generator is sent the values that were there, by key; `timer` is told the time."""

    keys: list[str]
    timer: Histogram | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Fetches of other requests to wait for. Whoever yields it leads no flight that those may need (see `flights`)."""

    flights: list[Flight]

    @property
    def over(self) -> bool:
        return all(flight.landed for flight in self.flights)


Step = Lookup | list[Read] | Wait
Work = Generator[Step, dict[str, bytes], T]


_Entry = tuple[int, str, Work[T], Step]
"""Work that has not ended: its number, its block, and what it needs."""


class Fetcher:
    """Serves the steps of many blocks: lookups by one cache call for all, reads by one batch for all."""

    def __init__(self, reader: Reader, cache: Cache | None, call: Call) -> None:
        self.reader = reader
        self.call = call
        self._cache = cache
        self._landed: threading.Event | None = None  # set when a flight has landed that some block waits for
        self._local = cache is None or getattr(cache, "local", False) is True

    def quick(self, reads: int) -> bool:
        """Whether a lookup in the cache and so many reads are a matter of microseconds; never so over a network."""
        return self._local and self.reader.quick_lookup and self.reader.quick(reads)

    def drive(self, works: Iterable[tuple[str, Work[T]]]) -> list[T]:
        """Run the generators to their ends and return their values, in order.

        Each comes with the ULID of its block, which is put on a StoregateError that has none.
        """
        results: dict[int, T] = {}
        waiting: list[_Entry[T]] = []
        ready: list[_Entry[T]] = []
        try:
            for i, (block, work) in enumerate(works):
                self.call.check()
                self._advance(i, block, work, None, waiting, results)
            while waiting:
                self.call.check()
                ready, held = self._without_held(waiting)
                found = self._lookup([step for _, _, _, step in ready if isinstance(step, Lookup)])
                self.reader.run([read for _, _, _, step in ready if isinstance(step, list) for read in step], self.call)
                waiting = held
                for i, block, work, _ in ready:
                    self._advance(i, block, work, found, waiting, results)
        except BaseException:
            _end(ready)
            _end(waiting)
            raise
        return [results[i] for i in range(len(results))]

    def _advance(
        self,
        i: int,
        block: str,
        work: Work[T],
        found: dict[str, bytes] | None,
        waiting: list[_Entry[T]],
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
            if type(step) is Wait:
                self._landed = self._landed or threading.Event()
                for flight in step.flights:
                    flight.when_landed(self._landed.set)

    def _without_held(self, waiting: list[_Entry[T]]) -> tuple[list[_Entry[T]], list[_Entry[T]]]:
        """What can go on now, and what waits for fetches of others. Blocks while nothing can go on."""
        if self._landed is None or not any(type(step) is Wait for _, _, _, step in waiting):
            return waiting, []
        while True:
            self._landed.clear()  # before looking: a flight that lands from here on sets it again
            held = [entry for entry in waiting if isinstance(entry[3], Wait) and not entry[3].over]
            if len(held) < len(waiting):
                break
            self.call.wait(self._landed)
        numbers = {entry[0] for entry in held}
        return [entry for entry in waiting if entry[0] not in numbers], held

    def _lookup(self, lookups: list[Lookup]) -> dict[str, bytes]:
        if self._cache is None or not lookups:
            return {}
        started = time.perf_counter()
        keys = [key for lookup in lookups for key in lookup.keys]
        found = self._cache.get_many(keys)
        seconds = time.perf_counter() - started
        self.reader.looked_up(seconds)
        if self.call.costs is not None:
            self.call.costs.looked_up(len(keys), len(found))
        for timer in {lookup.timer for lookup in lookups}:
            if timer is not None:
                timer.observe(seconds)
        return found


def _end(entries: Iterable[_Entry[T]]) -> None:
    """End works that will not go on, so that they give up what they lead; one hears of an error of its own reads."""
    for _, _, work, step in entries:
        errors = [read.error for read in step if read.error is not None] if isinstance(step, list) else []
        with suppress(BaseException):
            if errors:
                work.throw(errors[0])
            work.close()
