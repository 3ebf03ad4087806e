"""The caller of a query: who it is, how long it waits, whether it is still there."""

from __future__ import annotations

import threading
import time

from storegate.errors import CancelledError, DeadlineError


class Call:
    """One running request. Thread-safe: the front end cancels from its thread, every stage checks from its own.

    `deadline` is on the clock of `time.monotonic()`, in seconds; None waits for ever.
    """

    __slots__ = ("_cancelled", "_lock", "_waiting", "deadline", "request_id", "started", "tenant")

    def __init__(self, *, tenant: str = "default-tenant", request_id: str = "", deadline: float | None = None) -> None:
        self.tenant = tenant
        self.request_id = request_id
        self.deadline = deadline
        self.started = time.monotonic()
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

    def wait(self, event: threading.Event) -> None:
        """Wait until `event` is set. Raises CancelledError or DeadlineError when the request ends first."""
        with self._lock:
            if self._cancelled:
                raise CancelledError("the caller cancelled the request")
            self._waiting.append(event)
        try:
            while not event.wait(self.remaining()):
                self.check()  # a wait may end a moment before the deadline: then wait for the rest
        finally:
            with self._lock:
                self._waiting.remove(event)
        self.check()
