"""The circuit breaker: calls that keep failing are stepped over, and tried again after a pause."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from storegate.types import BreakerLimits

COUNTING_SECONDS = 10.0
"""Counters of a closed breaker begin again after so long (operations 11)."""


class State(Enum):
    CLOSED = "closed"  # calls pass
    OPEN = "open"  # calls are stepped over
    HALF_OPEN = "half-open"  # trials pass


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave for one call; it is handed back with the outcome."""

    generation: int
    trial: bool  # nobody should wait for it


class Breaker:
    """Decides which calls pass. Thread-safe. `changed` is called with the new state, outside of the lock.

    Calls that began before a change of state say nothing about the new one: their outcome is passed over.
    """

    def __init__(
        self,
        limits: BreakerLimits,
        changed: Callable[[State], None] = lambda state: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._changed = changed
        self._clock = clock
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._generation = 0
        self._since = clock()  # of this state; of these counters while closed
        self._healthy_since = -math.inf
        self._pause = self._first_pause = min(
            limits.open_duration if limits.first_open_duration is None else limits.first_open_duration,
            limits.open_duration,
        )
        self._begin_counting()

    @property
    def closed(self) -> bool:
        """Whether calls pass; says nothing about trials."""
        return self._state is State.CLOSED

    def admit(self) -> Ticket | None:
        """Leave for a call, or None: step over it. Each ticket must come back through `report`."""
        state_before = self._state
        with self._lock:
            now = self._clock()
            if self._state is State.OPEN and now - self._since >= self._pause:
                self._enter(State.HALF_OPEN, now)
            elif self._trials_are_lost(now):
                self._open(now)
            ticket = self._ticket(now)
            state = self._state
        if state is not state_before:
            self._changed(state)
        return ticket

    def report(self, ticket: Ticket, ok: bool) -> None:
        """The outcome of a call."""
        with self._lock:
            if ticket.generation != self._generation:
                return
            now = self._clock()
            state_before = self._state
            if self._state is State.HALF_OPEN:
                self._trial_ended(ok, now)
            else:
                self._call_ended(ok, now)
            state = self._state
        if state is not state_before:
            self._changed(state)

    def _ticket(self, now: float) -> Ticket | None:
        if self._state is State.OPEN:
            return None
        if self._state is State.CLOSED:
            if now - self._since >= COUNTING_SECONDS:
                self._since = now
                self._begin_counting()
        elif self._requests >= self._limits.half_open_max_requests:
            return None
        self._requests += 1
        return Ticket(self._generation, self._state is State.HALF_OPEN)

    def _trials_are_lost(self, now: float) -> bool:
        limits = self._limits
        return (
            self._state is State.HALF_OPEN
            and self._requests >= limits.half_open_max_requests
            and now - self._since >= limits.open_duration
        )

    def _call_ended(self, ok: bool, now: float) -> None:
        if ok:
            self._in_a_row = 0
            return
        self._failures += 1
        self._in_a_row += 1
        limits = self._limits
        if self._requests >= limits.min_requests and (
            self._in_a_row >= limits.consecutive_failures or self._failures >= limits.failure_percent * self._requests
        ):
            if now - self._healthy_since >= limits.open_duration:
                self._pause = self._first_pause  # it was well for a while
            else:
                self._pause = min(self._pause * 2, limits.open_duration)
            self._enter(State.OPEN, now)

    def _trial_ended(self, ok: bool, now: float) -> None:
        if not ok:
            self._open(now)
            return
        self._succeeded += 1
        if self._succeeded >= self._limits.half_open_max_requests:
            self._enter(State.CLOSED, now)
            self._healthy_since = now

    def _open(self, now: float) -> None:
        self._pause = min(self._pause * 2, self._limits.open_duration)
        self._enter(State.OPEN, now)

    def _enter(self, state: State, now: float) -> None:
        self._state = state
        self._generation += 1
        self._since = now
        self._begin_counting()

    def _begin_counting(self) -> None:
        self._requests = self._failures = self._in_a_row = self._succeeded = 0
