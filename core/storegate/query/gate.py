"""How many Series calls run at once: the others wait in the order in which they came."""

from __future__ import annotations

import threading
import time
from collections import deque

from storegate.errors import CancelledError, DeadlineError
from storegate.metrics import Metrics
from storegate.query.call import Call


class Gate:
    """`concurrency` places; 0 lets everyone in. Thread-safe."""

    def __init__(self, concurrency: int, metrics: Metrics) -> None:
        self._free = concurrency
        self._open = concurrency == 0
        self._queue: deque[threading.Event] = deque()
        self._lock = threading.Lock()
        self._metrics = metrics
        metrics.series_gate_queries_max.set(concurrency)

    def try_enter(self) -> bool:
        """Take a place if one is free and nobody waits for it; `enter` is the way for the others."""
        with self._lock:
            if not self._open and self._free <= 0:
                return False
            if not self._open:
                self._free -= 1
        self._metrics.series_gate_queries_total.inc()
        self._metrics.series_gate_queries_duration_seconds.observe(0.0)
        self._metrics.series_gate_queries_in_flight.inc()
        return True

    def enter(self, call: Call) -> None:
        """Wait for a place. Raises CancelledError or DeadlineError, whose text begins `failed to wait for turn`."""
        started = time.monotonic()
        self._metrics.series_gate_queries_total.inc()
        try:
            call.check()
            self._wait(call)
        except (CancelledError, DeadlineError) as error:
            raise type(error)(f"failed to wait for turn: {error}") from None
        finally:
            self._metrics.series_gate_queries_duration_seconds.observe(time.monotonic() - started)
        self._metrics.series_gate_queries_in_flight.inc()

    def leave(self) -> None:
        """Give the place to the one that waits longest."""
        self._metrics.series_gate_queries_in_flight.dec()
        self._give_back()

    def _wait(self, call: Call) -> None:
        if self._open:
            return
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            turn = threading.Event()
            self._queue.append(turn)
        try:
            call.wait(turn)
        except (CancelledError, DeadlineError):
            with self._lock:
                if turn in self._queue:
                    self._queue.remove(turn)
                    turn = None  # type: ignore[assignment]
            if turn is not None:  # the place came in the same moment
                self._give_back()
            raise

    def _give_back(self) -> None:
        if self._open:
            return
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._free += 1
