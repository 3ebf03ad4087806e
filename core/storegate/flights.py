"""What is being fetched at this moment, by key, so that equal needs of many requests are met by one fetch.

Who boards a key that nobody fetches leads its flight, and must end it: `land` with the value, or `give_up`. All others
get the flight to wait for. A flight that was given up brought nothing: board again, and one of those who waited leads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import count
from typing import Any

from storegate.errors import CancelledError, DeadlineError, LimitError, StoregateError
from storegate.query.call import current_call

_OWN_TROUBLES = (CancelledError, DeadlineError, LimitError)
"""Errors that say something about the request that fetches, nothing about what it fetches."""


class Flight:
    """One fetch under way. `landed` once it ended; then `value` is what it brought, `error` why it cannot be had.

    Neither is set when it was given up. Values are shared: nobody may change them.
    """

    __slots__ = ("_callbacks", "_lock", "brought", "error", "landed", "value")

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._callbacks: list[Callable[[], object]] = []
        self.landed = False
        self.brought = False
        self.value: Any = None
        self.error: StoregateError | None = None

    def when_landed(self, callback: Callable[[], object]) -> None:
        """Call back once it has landed, now if it has already, on any thread. The callback must be quick, not raise."""
        with self._lock:
            if not self.landed:
                self._callbacks.append(callback)
                return
        callback()

    def _end(self, value: Any, brought: bool, error: StoregateError | None) -> list[Callable[[], object]]:
        """To be called under the lock; the callbacks to call after it."""
        self.value, self.brought, self.error = value, brought, error
        self.landed = True
        callbacks, self._callbacks = self._callbacks, []
        return callbacks


class Flights:
    """The flights of one kind of thing. Thread-safe.

    `landings` counts the values that flights have brought. Note it before looking into a cache: between that and
    boarding a flight may have brought the value there, which `landed_since` tells.
    """

    REMEMBERED = 4096

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flying: dict[str, Flight] = {}
        self._recent: dict[str, int] = {}  # key -> `landings` after it, oldest first
        self.landings = 0

    def board(self, keys: Iterable[str]) -> tuple[dict[str, Flight], dict[str, Flight]]:
        """The flights that the caller leads from now on, and those of others, by key."""
        mine: dict[str, Flight] = {}
        theirs: dict[str, Flight] = {}
        with self._lock:
            for key in keys:
                flight = self._flying.get(key)
                if flight is None:
                    self._flying[key] = mine[key] = Flight(self._lock)
                else:
                    theirs[key] = flight
        return mine, theirs

    def landed_since(self, keys: Collection[str], landings: int) -> list[str]:
        """The keys that a flight may have brought after `landings` was noted."""
        if self.landings == landings:
            return []
        with self._lock:
            if self.landings - landings > self.REMEMBERED:
                return list(keys)
            return [key for key in keys if self._recent.get(key, 0) > landings]

    def land(self, values: Mapping[str, Any]) -> None:
        """End the caller's flights with what they brought. Put it into the cache before."""
        callbacks: list[Callable[[], object]] = []
        with self._lock:
            for key, value in values.items():
                callbacks += self._flying.pop(key)._end(value, True, None)
                self.landings += 1
                self._recent.pop(key, None)
                self._recent[key] = self.landings
            while len(self._recent) > self.REMEMBERED:
                del self._recent[next(iter(self._recent))]
        for callback in callbacks:
            callback()

    def give_up(self, keys: Iterable[str], error: BaseException | None = None) -> None:
        """End the caller's flights without a value.

        An error of the store or of the object is everyone's; one of the request itself is not, and others try again.
        """
        shared = error if isinstance(error, StoregateError) and not isinstance(error, _OWN_TROUBLES) else None
        callbacks: list[Callable[[], object]] = []
        with self._lock:
            for key in keys:
                callbacks += self._flying.pop(key)._end(None, False, shared)
        for callback in callbacks:
            callback()

    def once(self, key: str, fetch: Callable[[], Any]) -> Any:
        """What `fetch` returns, called by one thread while all others that want this key wait. Raises what it raises.

        A wait ends with the request that the thread works for, too.
        """
        while True:
            mine, theirs = self.board((key,))
            if mine:
                return self._lead(key, fetch)
            flight = theirs[key]
            landed = threading.Event()
            flight.when_landed(landed.set)
            wait_here(landed)
            if flight.brought:
                return flight.value
            if flight.error is not None:
                raise flight.error.with_traceback(None)

    def _lead(self, key: str, fetch: Callable[[], Any]) -> Any:
        try:
            value = fetch()
        except BaseException as error:
            self.give_up((key,), error)
            raise
        self.land({key: value})
        return value


def when_all_landed(flights: Collection[Flight], callback: Callable[[], object]) -> None:
    """Call back once the last of them has landed."""
    left = count(len(flights) - 1, -1)  # `next` is atomic

    def one() -> None:
        if next(left) == 0:
            callback()

    for flight in flights:
        flight.when_landed(one)


def wait_here(event: threading.Event) -> None:
    """Wait on this thread, no longer than the request that it works for. Raises CancelledError or DeadlineError."""
    call = current_call()
    if call is None:
        event.wait()
    else:
        call.wait(event)


def may_wait() -> bool:
    """Whether this thread may wait for a flight of another: one that runs an event loop may not."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False
