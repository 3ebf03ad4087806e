"""A second request when the first is slow; the first answer wins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Generic, TypeVar

from storegate.errors import UnavailableError
from storegate.objstore.latencies import Latencies
from storegate.objstore.pacing import Pacer
from storegate.objstore.waits import Waits
from storegate.query.call import current_call, working_for

T = TypeVar("T")

SHORTEST_PATIENCE = 0.002
"""Seconds: a store that answers faster has no slow reads worth a request."""


class Hedger:
    """Sends a read again, `up_to` requests in all, each after as long as slow reads of the past took. Thread-safe.

    Never while the store throttles. Requests run on `pool`, so that the caller can leave a slow one behind. That one
    goes on until it is answered or times out: its answer goes nowhere.
    """

    def __init__(
        self,
        up_to: int,
        quantile: float,
        pool: Executor,
        pacer: Pacer,
        waits: Waits,
        on_hedge: Callable[[], None],
        on_win: Callable[[], None],
    ) -> None:
        """`on_hedge` is told each request that is sent in addition, `on_win` when such a one was the first."""
        self._up_to = up_to
        self._latencies = Latencies(quantile)
        self._pool = pool
        self._pacer = pacer
        self._waits = waits
        self._on_hedge = on_hedge
        self._on_win = on_win

    def run(self, length: int, attempt: Callable[[], T]) -> T:
        """What the first request gives that succeeds; `attempt` sends one for about `length` bytes.

        Raises the first error that is no UnavailableError, or the last error when all requests failed, or what `Waits`
        raises.
        """
        race: _Race[T] = _Race()
        self._send(race, length, attempt)
        while not self._waits.wait(race.over, self._patience(race, length)):
            if not self._pacer.throttled:
                self._on_hedge()
                self._send(race, length, attempt)
        if race.winner > 0:
            self._on_win()
        return race.result()

    def _patience(self, race: _Race[T], length: int) -> float | None:
        """Seconds until the next request may be sent; None when there is none."""
        slow = self._latencies.slow(length)
        return None if slow is None or race.sent >= self._up_to else max(slow, SHORTEST_PATIENCE)

    def _send(self, race: _Race[T], length: int, attempt: Callable[[], T]) -> None:
        number, call = race.add(), current_call()

        def run() -> None:
            started = time.perf_counter()
            try:
                with working_for(call):
                    value = attempt()
            except BaseException as error:
                race.failed(error)
            else:
                self._latencies.observe(length, time.perf_counter() - started)
                race.succeeded(number, value)

        self._pool.submit(run)


class _Race(Generic[T]):
    """Requests for the same thing. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.over = threading.Event()
        self.sent = 0
        self.winner = -1
        self._failed = 0
        self._value: T
        self._error: BaseException | None = None

    def add(self) -> int:
        """One more request is sent; its number, from 0."""
        with self._lock:
            self.sent += 1
            return self.sent - 1

    def succeeded(self, number: int, value: T) -> None:
        with self._lock:
            if not self.over.is_set():
                self.winner, self._value = number, value
                self.over.set()

    def failed(self, error: BaseException) -> None:
        """The race goes on when another request may still succeed."""
        with self._lock:
            self._failed += 1
            if not self.over.is_set() and (self._failed == self.sent or not isinstance(error, UnavailableError)):
                self._error = error
                self.over.set()

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value
