"""The caller of a query: who it is, how long it waits, whether it is still there."""

from __future__ import annotations

import threading
import time

from storegate.errors import CancelledError, DeadlineError


class Call:
    """One running request. Thread-safe: the front end cancels from its thread, every stage checks from its own.

    `deadline` is on the clock of `time.monotonic()`, in seconds; None waits for ever.
    """

    __slots__ = ("_cancelled", "deadline", "request_id", "started", "tenant")

    def __init__(self, *, tenant: str = "default-tenant", request_id: str = "", deadline: float | None = None) -> None:
        self.tenant = tenant
        self.request_id = request_id
        self.deadline = deadline
        self.started = time.monotonic()
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """End the request: the next `check` raises."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise CancelledError or DeadlineError when nobody waits for the answer any more."""
        if self._cancelled.is_set():
            raise CancelledError("the caller cancelled the request")
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise DeadlineError("the request's deadline has passed")

    def remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
