"""Waiting on behalf of a query: no longer than the query lives, nor than the bucket is open."""

from __future__ import annotations

import threading

from storegate.errors import UnavailableError
from storegate.query.call import current_call


class Waits:
    """The waits of one bucket. Thread-safe.

    Each ends early with CancelledError or DeadlineError when the query ends that the thread works for, and with
    UnavailableError when the bucket is closed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: set[threading.Event] = set()
        self._closed = False

    def wait(self, event: threading.Event, timeout: float | None = None) -> bool:
        """Until `event` is set, or for `timeout` seconds; whether it was set. One thread waits for one event."""
        with self._lock:
            self._refuse_when_closed()
            self._events.add(event)
        try:
            call = current_call()
            was_set = event.wait(timeout) if call is None else call.wait(event, timeout)
        finally:
            with self._lock:
                self._events.discard(event)
        self._refuse_when_closed()
        return was_set

    def pause(self, seconds: float) -> None:
        """Wait for so long."""
        self.wait(threading.Event(), seconds)

    def close(self) -> None:
        """End all waits."""
        with self._lock:
            self._closed = True
            for event in self._events:
                event.set()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise UnavailableError("the bucket is closed: the gateway stops")
