"""The requests that are under way, each on a worker thread of its own until it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from storegate.query.call import Call

MOST = 512
"""Requests with a thread; further ones wait for one. Most of them wait at the engine's gate."""
LET_GO = 5.0  # s, for cancelled requests to let go of their blocks


class RunningRequests:
    """Starts requests and knows those that have not ended. Thread-safe."""

    def __init__(self) -> None:
        self.stopping = False
        self._pool = ThreadPoolExecutor(MOST, "remote-read")
        self._calls: set[Call] = set()
        self._changed = threading.Condition()

    def submit(self, call: Call, work: Callable[[], None]) -> None:
        """Do the work of a call on a thread of its own."""

        def run() -> None:
            try:
                work()
            finally:
                self._forget(call)

        with self._changed:
            self._calls.add(call)
        try:
            self._pool.submit(run)
        except BaseException:
            self._forget(call)
            raise

    def stop(self, grace: float) -> None:
        """Take no more; let running requests end for `grace` seconds, then cancel them."""
        self.stopping = True
        if not self._wait(grace):
            with self._changed:
                for call in self._calls:
                    call.cancel()
            self._wait(LET_GO)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _wait(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        with self._changed:
            return self._changed.wait_for(lambda: not self._calls, max(0.0, until - time.monotonic()))

    def _forget(self, call: Call) -> None:
        with self._changed:
            self._calls.discard(call)
            self._changed.notify_all()
