"""Slowing down together when a store throttles."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from storegate.errors import ThrottledError
from storegate.objstore.waits import Waits

UNLIMITED = float("inf")
LONGEST_HOLD = 30.0
"""Seconds for which one answer can hold back all requests, whatever its Retry-After."""


class Pacer:
    """A limit on requests under way that is there while a store throttles. Thread-safe.

    Additive increase, multiplicative decrease, as TCP does it: a throttled request halves what was under way, one that
    succeeds lets a little more pass, and where it began the limit ends. Answers to requests that were sent before the
    last decrease do not count again. Where an answer says how long to wait, all requests wait.
    """

    def __init__(self, waits: Waits, on_change: Callable[[float], None] = lambda limit: None) -> None:
        """`on_change` is told each new limit, infinity when there is none."""
        self._waits = waits
        self._on_change = on_change
        self._lock = threading.Lock()
        self._under_way = 0
        self._limit = UNLIMITED
        self._ceiling = 0.0
        self._held_until = 0.0  # on the clock of time.monotonic
        self._decreases = 0
        self._queue: deque[threading.Event] = deque()

    @property
    def throttled(self) -> bool:
        """Whether the store asked to slow down, and this is not over."""
        return self._limit != UNLIMITED or time.monotonic() < self._held_until

    def enter(self) -> int:
        """Wait for the turn of a request, and take it; `leave` wants the answer. Raises what `Waits` raises."""
        self._take_turn()
        if self._held_until:
            self._sit_out_hold()
        return self._decreases

    def leave(self, entered: int, failure: BaseException | None) -> None:
        """The request that entered has ended."""
        with self._lock:
            before = self._limit
            if isinstance(failure, ThrottledError):
                self._decrease(entered, failure.retry_after or 0.0)
            elif failure is None and before != UNLIMITED:
                self._limit += 1.0 / self._limit
                if self._limit >= self._ceiling:
                    self._limit = UNLIMITED
            self._end_one()
            after = self._limit
        if after != before:
            self._on_change(after)

    def _sit_out_hold(self) -> None:
        try:
            while (hold := self._held_until - time.monotonic()) > 0:
                self._waits.pause(hold)
        except BaseException:
            with self._lock:
                self._end_one()
            raise

    def _take_turn(self) -> None:
        with self._lock:
            if self._under_way < self._limit and not self._queue:
                self._under_way += 1
                return
            turn = threading.Event()
            self._queue.append(turn)
        try:
            self._waits.wait(turn)
        except BaseException:
            self._give_up(turn)
            raise

    def _give_up(self, turn: threading.Event) -> None:
        with self._lock:
            if turn in self._queue:
                self._queue.remove(turn)
            else:  # it came in the same moment
                self._end_one()

    def _decrease(self, entered: int, retry_after: float) -> None:
        if retry_after > 0:
            self._held_until = max(self._held_until, time.monotonic() + min(retry_after, LONGEST_HOLD))
        if entered != self._decreases:
            return
        self._decreases += 1
        if self._limit == UNLIMITED:
            self._ceiling = self._under_way + 1.0
        self._limit = max(1.0, min(self._limit, self._under_way) / 2)

    def _end_one(self) -> None:
        """Let the next ones pass, as far as the limit allows."""
        self._under_way -= 1
        while self._queue and self._under_way < self._limit:
            self._under_way += 1
            self._queue.popleft().set()
