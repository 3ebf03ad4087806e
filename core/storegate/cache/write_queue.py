"""Writes of a guarded cache: in the background, bounded, and never with an error."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice

from storegate.cache.envelope import seal
from storegate.cache.guard_metrics import GuardMetrics
from storegate.cache.servers import Part, Servers
from storegate.cache.workers import Workers
from storegate.types import CacheLimits

MOST_QUEUED_BYTES = 128 << 20
"""What values that wait may take, however few they are."""


class WriteQueue:
    """`set_many` of a guarded cache. Thread-safe. What finds no room is dropped and counted."""

    def __init__(self, servers: Servers, limits: CacheLimits, metrics: GuardMetrics, name: str) -> None:
        self._servers = servers
        self._limits = limits
        self._metrics = metrics.sets
        self._workers = Workers(limits.set_concurrency, f"{name}-set")
        self._changed = threading.Condition()
        self._items = 0  # that wait or are being written
        self._bytes = 0
        self._closed = False

    @property
    def items(self) -> int:
        """How many wait or are being written."""
        return self._items

    def put(self, items: Mapping[str, bytes], ttl: float) -> None:
        """Take what there is room for. Never blocks."""
        if self._closed:
            return
        expires = time.monotonic() + ttl
        dropped = 0
        for chunk in _chunks(items, self._limits.set_batch_size):
            size = sum(len(value) for value in chunk.values())
            with self._changed:
                room = self._limits.set_queue - self._items if self._bytes + size <= MOST_QUEUED_BYTES else 0
                taken = chunk if room >= len(chunk) else dict(islice(chunk.items(), max(room, 0)))
                size = size if taken is chunk else sum(len(value) for value in taken.values())
                self._items += len(taken)
                self._bytes += size
            dropped += len(chunk) - len(taken)
            if taken and not self._workers.submit(partial(self._run, taken, size, expires)):
                self._release(taken, size)  # closed
        if dropped:
            self._metrics.skipped("async-buffer-full", dropped)

    def flush(self, timeout: float) -> bool:
        """Wait until nothing is queued; False when time is up before."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._items, timeout)

    def stop(self) -> None:
        """From now on drop what waits, and all that comes."""
        self._closed = True

    def close(self, timeout: float) -> None:
        """Stop, and wait for what is being written."""
        self.stop()
        self._workers.close(timeout)

    # --- on a worker ---

    def _run(self, items: Mapping[str, bytes], size: int, expires: float) -> None:
        try:
            ttl = expires - time.monotonic()
            if ttl > 0 and not self._closed:
                for part in self._servers.route(list(items)):
                    self._write(part, items, ttl)
        except BaseException as error:
            self._metrics.failed(error)
        finally:
            self._release(items, size)

    def _write(self, part: Part, items: Mapping[str, bytes], ttl: float) -> None:
        ticket = part.health.admit_write()
        if ticket is None:
            self._metrics.skipped("circuit-open", len(part.keys))
            return
        started = time.perf_counter()
        try:
            sealed = self._sealed(part, items)
            if sealed:
                part.server.set_many(sealed, ttl)
        except BaseException as error:  # whatever a plugin does, the thread lives on
            self._metrics.failed(error)
            part.health.write_ended(ticket, error)
            return
        self._metrics.called(time.perf_counter() - started, sum(len(value) for value in sealed.values()))
        part.health.write_ended(ticket)

    def _sealed(self, part: Part, items: Mapping[str, bytes]) -> dict[str, bytes]:
        sealed = {key: seal(key, items[key]) for key in part.keys}
        most = self._limits.max_item_size
        fitting = {key: value for key, value in sealed.items() if len(value) <= most} if most else sealed
        if len(fitting) < len(sealed):
            self._metrics.skipped("max-item-size", len(sealed) - len(fitting))
        return fitting

    def _release(self, items: Mapping[str, bytes], size: int) -> None:
        with self._changed:
            self._items -= len(items)
            self._bytes -= size
            if not self._items:
                self._changed.notify_all()


def _chunks(items: Mapping[str, bytes], size: int) -> Iterator[dict[str, bytes]]:
    rest = iter(items.items())
    while chunk := dict(islice(rest, size or None)):
        yield chunk
