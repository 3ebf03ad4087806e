"""A cache in memory that tests make dead, slow or wrong. It is not local, so storegate guards it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from storegate.types import CacheLimits

HOLD_SECONDS = 30.0


class FaultyCache:
    """Values in a dictionary, without lifetimes. Thread-safe; the attributes may be changed at any time.

    `values` is what is stored, `reads` and `writes` are the keys of each call so far. While `error` is set every call
    raises it. `wrong`, if set, is applied to each value that is read.
    """

    def __init__(self, limits: CacheLimits | None = None, name: str = "faulty") -> None:
        self.name = name
        self.limits = limits or CacheLimits()
        self.values: dict[str, bytes] = {}
        self.lifetimes: dict[str, float] = {}
        self.reads: list[tuple[str, ...]] = []
        self.writes: list[tuple[str, ...]] = []
        self.error: BaseException | None = None
        self.wrong: Callable[[bytes], bytes] | None = None
        self.closed = False
        self._open = threading.Event()
        self._open.set()
        self._waiting = threading.Semaphore(0)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `storegate.Cache.get_many`."""
        self.reads.append(tuple(keys))
        self._pass()
        found = {key: self.values[key] for key in keys if key in self.values}
        return {key: self.wrong(value) for key, value in found.items()} if self.wrong else found

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        """See `storegate.Cache.set_many`."""
        self.writes.append(tuple(items))
        self._pass()
        self.values.update(items)
        self.lifetimes.update(dict.fromkeys(items, ttl))

    def close(self) -> None:
        """See `storegate.Cache.close`."""
        self.closed = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, calls wait until the end of the block."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def wait_for_call(self) -> None:
        """Until one more call is held."""
        assert self._waiting.acquire(timeout=HOLD_SECONDS), "no call of the cache was held"

    def _pass(self) -> None:
        if not self._open.is_set():
            self._waiting.release()
            assert self._open.wait(HOLD_SECONDS), "a call was held and never let go"
        if self.error is not None:
            raise self.error
