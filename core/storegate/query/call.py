"""The caller of a query: who it is, how long it waits, whether it is still there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from storegate.errors import CancelledError, DeadlineError

if TYPE_CHECKING:
    from storegate.query.costs import QueryCosts


class Call:
    """One running request. Thread-safe: the front end cancels from its thread, every stage checks from its own.

    `deadline` is on the clock of `time.monotonic()`, in seconds; None waits for ever. `traceparent` is the caller's
    span, in the form of W3C Trace Context.
    """

    __slots__ = (
        "_cancelled", "_lock", "_waiting", "costs", "deadline", "request_id", "started", "tenant", "traceparent",
    )  # fmt: skip

    def __init__(
        self,
        *,
        tenant: str = "default-tenant",
        request_id: str = "",
        deadline: float | None = None,
        traceparent: str = "",
    ) -> None:
        self.tenant = tenant
        self.request_id = request_id
        self.deadline = deadline
        self.traceparent = traceparent
        self.started = time.monotonic()
        self.costs: QueryCosts | None = None  # of the query that the engine runs for it
        self._cancelled = False
        self._lock = threading.Lock()
        self._waiting: list[threading.Event] = []

    def cancel(self) -> None:
        """End the request: a wait ends now, the next `check` raises."""
        with self._lock:
            self._cancelled = True
            for event in self._waiting:
                event.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def check(self) -> None:
        """Raise CancelledError or DeadlineError when nobody waits for the answer any more."""
        if self._cancelled:
            raise CancelledError("the caller cancelled the request")
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise DeadlineError("the request's deadline has passed")

    def remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def wait(self, event: threading.Event, timeout: float | None = None) -> bool:
        """Wait until `event` is set, or for `timeout` seconds; whether it is set.

        Raises CancelledError or DeadlineError when the request ends first.
        """
        until = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            if self._cancelled:
                raise CancelledError("the caller cancelled the request")
            self._waiting.append(event)
        try:
            while not event.wait(self._rest(until)):
                self.check()  # a wait may end a moment before the deadline: then wait for the rest
                if until is not None and time.monotonic() >= until:
                    return False
        finally:
            with self._lock:
                self._waiting.remove(event)
        self.check()
        return True

    def _rest(self, until: float | None) -> float | None:
        """Seconds until the deadline or `until`, whichever comes first."""
        ends = [end for end in (self.deadline, until) if end is not None]
        return max(0.0, min(ends) - time.monotonic()) if ends else None


class _Thread(threading.local):
    call: Call | None = None


_thread = _Thread()


def current_call() -> Call | None:
    """The request that this thread works for; None for the gateway's own work.

    Object stores have no parameter for it; what they wait for between requests (a pause, a turn) ends with it.
    """
    return _thread.call


@contextmanager
def working_for(call: Call | None) -> Iterator[None]:
    """Inside, `current_call` of this thread is `call`."""
    before, _thread.call = _thread.call, call
    try:
        yield
    finally:
        _thread.call = before
