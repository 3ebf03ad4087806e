"""Reads of a guarded cache: side by side, with one deadline for all, and never with an error."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

from storegate.cache.breaker import Ticket
from storegate.cache.envelope import WrongValueError, unseal
from storegate.cache.guard_metrics import GuardMetrics
from storegate.cache.servers import Part, Servers, log
from storegate.cache.workers import Workers
from storegate.errors import DeadlineError
from storegate.query.call import current_call
from storegate.types import CacheLimits

MOST_THREADS = 512
"""What a concurrency of 0 (no limit) becomes."""


class Lookups:
    """`get_many` of a guarded cache. Thread-safe.

    Raises nothing but CancelledError and DeadlineError of the request that this thread works for (`current_call`).
    """

    def __init__(self, servers: Servers, limits: CacheLimits, metrics: GuardMetrics, name: str) -> None:
        self._servers = servers
        self._limits = limits
        self._metrics = metrics
        self._name = name
        self._workers = Workers(limits.get_concurrency or MOST_THREADS, f"{name}-get")
        self._wrong_value_seen = False

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """What the cache gave within its deadline."""
        self._metrics.requests.inc(len(keys))
        flight = _Flight()
        try:
            parts = self._servers.route(keys)
        except Exception as error:
            self._metrics.gets.failed(error)
            return {}
        batches = [batch for part in parts for batch in self._batches(part, flight)]
        flight.left = len(batches)
        for batch in batches:
            self._submit(batch)
        found = flight.wait(self._limits.timeout, batches) if batches else {}
        self._metrics.hits.inc(len(found))
        return found

    def close(self, timeout: float) -> None:
        """Start nothing more; wait for what is under way."""
        self._workers.close(timeout)

    def _batches(self, part: Part, flight: _Flight) -> Iterator[_Batch]:
        """The calls that somebody waits for. A trial is begun here, and its keys are misses for now."""
        for keys in _chunks(part.keys, self._limits.get_batch_size):
            ticket = part.health.admit_read()
            if ticket is not None and not ticket.trial:
                yield _Batch(self, part, keys, ticket, flight)
                continue
            self._metrics.gets.skipped("circuit-open", len(keys))
            if ticket is not None:
                self._try_again(_Batch(self, part, keys, ticket, None))

    def _try_again(self, trial: _Batch) -> None:
        if self._workers.free:
            self._submit(trial)
        else:
            trial.part.health.read_ended(trial.ticket, DeadlineError("all threads of the cache wait for an answer"))

    def _submit(self, batch: _Batch) -> None:
        self._metrics.gate_total.inc()
        if not self._workers.submit(batch.run) and batch.flight is not None:
            batch.flight.end(batch, {})  # closed

    # --- on a worker ---

    def run(self, batch: _Batch) -> dict[str, bytes]:
        """Ask the server. Raises what it raises."""
        metrics = self._metrics
        started = time.perf_counter()
        metrics.gate_seconds.observe(started - batch.submitted)
        metrics.in_flight.inc()
        try:
            values = batch.part.server.get_many(batch.keys)
            sealed = {key: values[key] for key in batch.keys if key in values}
        finally:
            metrics.in_flight.dec()
        spent = time.perf_counter() - started
        if spent > self._limits.timeout:
            raise self.late()
        metrics.gets.called(spent, sum(len(value) for value in sealed.values()))
        return self._unsealed(sealed)

    def failed(self, batch: _Batch, error: BaseException) -> None:
        """Count a call that gave nothing."""
        self._metrics.gets.failed(error)
        batch.part.health.read_ended(batch.ticket, error)

    def given_up(self, batch: _Batch) -> None:
        """Count a call that did not end in time. One that never began says nothing about the server."""
        if batch.began:
            self.failed(batch, self.late())
        else:
            self._metrics.gets.skipped("busy", len(batch.keys))

    def late(self) -> DeadlineError:
        return DeadlineError(f"no answer within {self._limits.timeout:g} s")

    def _unsealed(self, sealed: dict[str, bytes]) -> dict[str, bytes]:
        found = {}
        for key, value in sealed.items():
            try:
                found[key] = unseal(key, value)
            except WrongValueError as wrong:
                self._metrics.wrong_values[wrong.reason].inc()
                if not self._wrong_value_seen:
                    self._wrong_value_seen = True
                    log.warning(
                        "the cache holds a wrong value: taken for a miss; further ones are only counted",
                        cache=self._name,
                        key=key,
                        reason=wrong.reason,
                    )
        return found


class _Batch:
    """One call of one server."""

    __slots__ = ("began", "counted", "ended", "flight", "keys", "lookups", "part", "submitted", "ticket")

    def __init__(
        self, lookups: Lookups, part: Part, keys: Sequence[str], ticket: Ticket, flight: _Flight | None
    ) -> None:
        self.lookups = lookups
        self.part = part
        self.keys = keys
        self.ticket = ticket
        self.flight = flight  # None: a trial, nobody waits
        self.submitted = time.perf_counter()
        self.began = self.ended = self.counted = False

    def run(self) -> None:
        if self.flight is not None and not self.flight.begin(self):
            return
        error: BaseException | None = None
        found: dict[str, bytes] = {}
        try:
            found = self.lookups.run(self)
        except BaseException as caught:  # whatever a plugin does, the thread lives on
            error = caught
        if self.flight is not None:
            self.flight.end(self, found)
        if self.counted:
            return
        if error is not None:
            self.lookups.failed(self, error)
        else:
            self.part.health.read_ended(self.ticket)


class _Flight:
    """One `get_many`: batches under way and what they found."""

    def __init__(self) -> None:
        self.left = 0
        self._found: dict[str, bytes] = {}
        self._over = False
        self._lock = threading.Lock()
        self._done = threading.Event()

    def begin(self, batch: _Batch) -> bool:
        """Whether somebody still waits for it."""
        with self._lock:
            batch.began = not self._over
            return batch.began

    def end(self, batch: _Batch, found: dict[str, bytes]) -> None:
        """What it found is used if somebody still waits for it."""
        with self._lock:
            batch.ended = True
            if self._over:
                return
            self._found.update(found)
            self.left -= 1
            if not self.left:
                self._over = True
                self._done.set()

    def wait(self, timeout: float, batches: Sequence[_Batch]) -> dict[str, bytes]:
        """Until all batches ended, or time is up. Raises what ends the request before."""
        call = current_call()
        try:
            in_time = self._done.wait(timeout) if call is None else call.wait(self._done, timeout)
        finally:
            with self._lock:  # what goes on now tells no more than how the server is
                over, self._over = self._over, True
        if not in_time and not over:
            for batch in self._late(batches):
                batch.lookups.given_up(batch)
        return self._found

    def _late(self, batches: Sequence[_Batch]) -> list[_Batch]:
        with self._lock:
            late = [batch for batch in batches if not batch.ended]
            for batch in late:
                batch.counted = True
        return late


def _chunks(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    if not size or len(keys) <= size:
        yield keys
        return
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
