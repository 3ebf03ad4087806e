"""The queries that run now, for those who look after the gateway."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storegate.query.costs import CLIENT

if TYPE_CHECKING:
    from storegate.query.context import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningQuery:
    """What can be said of a query on its way. Times of the request in ms, `began` in Unix seconds."""

    id: int
    method: str
    tenant: str
    request_id: str
    matchers: tuple[str, ...]
    min_time: int
    max_time: int
    began: float
    stage: str
    series: int  # sent so far
    requests: int  # to the bucket so far
    bytes: int  # from the bucket so far

    @property
    def waits_for_client(self) -> bool:
        """Whether it is the client that is slow."""
        return self.stage == CLIENT


class RunningQueries:
    """Queries by number, which is never used again. Thread-safe."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._queries: dict[int, Query] = {}

    def add(self, query: Query) -> None:
        """It begins."""
        with self._lock:
            query.number = next(self._numbers)
            self._queries[query.number] = query

    def remove(self, query: Query) -> None:
        """It has ended. Safe to call twice."""
        with self._lock:
            self._queries.pop(query.number, None)

    def list(self) -> Sequence[RunningQuery]:
        """All of them, the oldest first."""
        with self._lock:
            queries = list(self._queries.items())
        return [_described(number, query) for number, query in queries]

    def cancel(self, number: int) -> bool:
        """End a query as if its client had gone; False when there is none of this number (any more)."""
        with self._lock:
            query = self._queries.get(number)
        if query is None:
            return False
        query.call.cancel()
        return True


def _described(number: int, query: Query) -> RunningQuery:
    costs, stats = query.costs, query.stats
    return RunningQuery(
        id=number,
        method=stats.method,
        tenant=stats.tenant,
        request_id=query.call.request_id,
        matchers=costs.matchers,
        min_time=costs.min_time,
        max_time=costs.max_time,
        began=costs.began,
        stage=costs.stage,
        series=stats.merged_series_count,
        requests=costs.requests,
        bytes=costs.bytes,
    )
