"""Threads that call caches: a call that never comes back costs its thread, and neither a query nor the exit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]


class Workers:
    """At most `limit` daemon threads, begun when there is work for them. Thread-safe. Jobs must not raise."""

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._load = 0  # jobs that were submitted and have not ended
        self._closed = False

    @property
    def free(self) -> bool:
        """Whether a job would begin at once."""
        return self._load < self._limit

    @property
    def idle(self) -> bool:
        """Whether all jobs have ended."""
        return not self._load

    def submit(self, job: Job) -> bool:
        """Run the job on some thread, in order of arrival. False, and nothing is run, after `close`."""
        with self._lock:
            if self._closed:
                return False
            self._load += 1
            thread = None
            if self._load > len(self._threads) and len(self._threads) < self._limit:
                name = f"{self._name}-{len(self._threads)}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._threads.append(thread)
            self._jobs.put(job)
        if thread is not None:
            thread.start()
        return True

    def close(self, timeout: float) -> bool:
        """Take no more jobs and wait `timeout` seconds for those that were taken; whether all have ended."""
        with self._lock:
            self._closed = True
            threads = list(self._threads)
            for _ in threads:
                self._jobs.put(None)
        until = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in threads)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            finally:
                job = None
                with self._lock:
                    self._load -= 1
