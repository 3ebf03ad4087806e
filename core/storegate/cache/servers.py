"""The servers of a guarded cache: which keys belong where, and which of them are stepped over."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import structlog

from storegate.cache.breaker import Breaker, State, Ticket
from storegate.types import BreakerLimits, Cache, CacheLimits, SupportsServers

log = structlog.get_logger(component="cache")

READ_BREAKER = BreakerLimits(
    min_requests=1,
    consecutive_failures=1,
    failure_percent=1.0,
    half_open_max_requests=1,
    open_duration=5.0,
    first_open_duration=0.1,
)
"""One failed read is enough: a miss costs little, waiting for a dead server much. A passing fault costs 0.1 s."""


QUIET_SECONDS = 60.0
"""Failed writes are logged once in so long: some fail for their size alone, so there is no state that changes."""


class ServerHealth:
    """The breakers of one server. Thread-safe. Logs one line when it begins to fail, and one when it is well again."""

    def __init__(self, limits: CacheLimits, **names: str) -> None:
        self._log = structlog.get_logger(component="cache", **names)  # follows a new level, as bind would not
        self._error: BaseException | None = None
        self._reported = False
        self._quiet_until = -math.inf
        self._reads = Breaker(READ_BREAKER, self._reads_changed)
        self._writes = Breaker(limits.set_breaker, self._writes_changed) if limits.set_breaker else None

    @property
    def reads_pass(self) -> bool:
        """Whether the server is used at all."""
        return self._reads.closed

    def admit_read(self) -> Ticket | None:
        """See `Breaker.admit`."""
        return self._reads.admit()

    def read_ended(self, ticket: Ticket, error: BaseException | None = None) -> None:
        """The outcome of a read that was admitted."""
        self._error = error
        self._reads.report(ticket, error is None)

    def admit_write(self) -> Ticket | None:
        """Leave for a write; None while the server is stepped over, for reads or for writes."""
        if not self._reads.closed:
            return None
        return self._writes.admit() if self._writes else Ticket(0, trial=False)

    def write_ended(self, ticket: Ticket, error: BaseException | None = None) -> None:
        """The outcome of a write that was admitted."""
        if self._writes is not None:
            self._writes.report(ticket, error is None)
        now = time.monotonic()
        if error is not None and now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            self._log.warning("the cache did not store values", err=_text(error))

    def _reads_changed(self, state: State) -> None:
        if state is State.OPEN and not self._reported:
            self._reported = True
            self._log.warning("the cache fails and is stepped over until it answers", err=_text(self._error))
        elif state is State.CLOSED and self._reported:
            self._reported = False
            self._log.info("the cache answers again")

    def _writes_changed(self, state: State) -> None:
        if state is not State.HALF_OPEN:
            self._log.info("the circuit breaker of writes changed", state=state.value)


class Part(NamedTuple):
    """Keys of one server."""

    server: Cache
    health: ServerHealth
    keys: Sequence[str]


class Servers:
    """Splits keys by server. Thread-safe. A cache that is not `SupportsServers` is its only server."""

    def __init__(self, cache: Cache, limits: CacheLimits, name: str) -> None:
        self._cache = cache
        self._limits = limits
        self._name = name
        self._lock = threading.Lock()
        self._health: WeakKeyDictionary[Any, ServerHealth] = WeakKeyDictionary()  # servers come and go

    def route(self, keys: Sequence[str]) -> list[Part]:
        """Each server with its keys. Raises what the cache raises."""
        if not isinstance(self._cache, SupportsServers):
            return [Part(self._cache, self._health_of(self._cache, ""), keys)]
        return [
            Part(server, self._health_of(server, server.name), its_keys)
            for server, its_keys in self._cache.servers(keys)
        ]

    def stepped_over(self) -> int:
        """How many servers are not used now."""
        with self._lock:
            return sum(not health.reads_pass for health in self._health.values())

    def _health_of(self, server: Cache, address: str) -> ServerHealth:
        health = self._health.get(server)
        if health is None:
            names = {"cache": self._name} | ({"server": address} if address else {})
            with self._lock:
                health = self._health.setdefault(server, ServerHealth(self._limits, **names))
        return health


def _text(error: BaseException | None) -> str:
    return str(error) or type(error).__name__
