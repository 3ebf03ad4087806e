"""Requests that bear with a store: paced, hedged, tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

from storegate.config.settings import HedgingSettings
from storegate.errors import NotFoundError, ThrottledError, UnavailableError
from storegate.objstore.hedging import Hedger
from storegate.objstore.pacing import UNLIMITED, Pacer
from storegate.objstore.resilience_metrics import ResilienceMetrics
from storegate.objstore.retries import Attempts, RetryPolicy
from storegate.objstore.verified import VerifiedStore
from storegate.objstore.waits import Waits
from storegate.objstore.wrapper import StoreWrapper
from storegate.types import ObjectInfo, ObjectStore, SupportsListPage

T = TypeVar("T")
P = ParamSpec("P")

HEDGING_THREADS = 100
"""Reads under way with hedging: as many as HTTP clients keep connections by default."""
UNKNOWN_LENGTH = 0  # of an object that is read whole


class ResilientStore(StoreWrapper):
    """Any store, its ranges verified; asked again when it fails, more slowly while it throttles, twice when it is slow.

    `hedging` applies to reads. Thread-safe. What waits ends when the query ends that the thread works for
    (`storegate.query.call.working_for`), or when the store is closed.
    """

    def __init__(
        self, store: ObjectStore, policy: RetryPolicy, metrics: ResilienceMetrics, hedging: HedgingSettings | None
    ) -> None:
        super().__init__(VerifiedStore(store))
        self._pages = store if isinstance(store, SupportsListPage) else None
        self._policy = policy
        self._retries = metrics.retries
        self._waits = Waits()
        limit = metrics.limit.labels(store.name)
        self._pacer = Pacer(self._waits, lambda value: limit.set(0 if value == UNLIMITED else value))
        self._hedger: Hedger | None = None
        self._pool: ThreadPoolExecutor | None = None
        if hedging is not None and hedging.enabled:
            self._pool = ThreadPoolExecutor(HEDGING_THREADS, thread_name_prefix="hedged-read")
            counts = metrics.hedged.labels(store.name).inc, metrics.won.labels(store.name).inc
            self._hedger = Hedger(hedging.up_to, hedging.quantile, self._pool, self._pacer, self._waits, *counts)

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`. A page that fails is asked for again, or the listing is begun again."""
        if self._pages is not None:
            return self._list_pages(self._pages, prefix, recursive)
        return self._list_again(prefix, recursive)

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        return self._tried("attributes", self._paced, self._store.head, key)

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        if self._hedger is None:
            return self._tried("get", self._paced, self._store.get, key)
        return self._tried("get", self._hedger.run, UNKNOWN_LENGTH, partial(self._paced, self._store.get, key))

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        get_range = self._store.get_range
        if self._hedger is None:
            return self._tried("get_range", self._paced, get_range, key, offset, length)
        return self._tried("get_range", self._hedger.run, length, partial(self._paced, get_range, key, offset, length))

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """See `storegate.SupportsReadInto`. With hedging each request has a buffer of its own."""
        if self._hedger is None:
            return self._tried("get_range", self._paced, self._read_into, key, offset, buffer)
        data = self.get_range(key, offset, buffer.nbytes)
        buffer.cast("B")[: len(data)] = data
        return len(data)

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`."""
        self._tried("upload", self._paced, self._store.put, key, data)

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`. What is gone after a failure was deleted by the request that failed."""
        try:
            self._paced(self._store.delete, key)
        except UnavailableError as error:
            with suppress(NotFoundError):
                self._attempts("delete").run(lambda: self._paced(self._store.delete, key), error)

    def close(self) -> None:
        """See `storegate.ObjectStore.close`. Ends what waits."""
        self._waits.close()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._store.close()

    def _list_pages(self, store: SupportsListPage, prefix: str, recursive: bool) -> Iterator[ObjectInfo]:
        token: str | None = None
        while True:
            page = self._tried("iter", self._paced, partial(store.list_page, prefix, token, recursive=recursive))
            yield from page.entries
            token = page.token
            if token is None:
                return

    def _list_again(self, prefix: str, recursive: bool) -> Iterator[ObjectInfo]:
        """Takes no turns of the pacer: who reads the listing may send requests before it is at its end."""
        attempts = self._attempts("iter")
        last = given = ""  # keys; up to `given` they were given out before the last failure
        while True:
            try:
                for info in self._store.list(prefix, recursive=recursive):
                    if info.key > given:
                        attempts.progressed()
                        last = info.key
                        yield info
                return
            except UnavailableError as error:
                given = last
                attempts.failed(error)

    def _tried(self, operation: str, attempt: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return attempt(*args, **kwargs)
        except UnavailableError as error:
            return self._attempts(operation).run(partial(attempt, *args, **kwargs), error)

    def _paced(self, request: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        entered = self._pacer.enter()
        try:
            answer = request(*args, **kwargs)
        except BaseException as error:
            self._pacer.leave(entered, error)
            raise
        self._pacer.leave(entered, None)
        return answer

    def _attempts(self, operation: str) -> Attempts:
        def count(error: UnavailableError) -> None:
            reason = "throttled" if isinstance(error, ThrottledError) else "unavailable"
            self._retries.labels(self.name, operation, reason).inc()

        return Attempts(self._policy, self._waits, count)
