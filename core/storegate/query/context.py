"""What the engine's queries share, and what one query carries through its stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from storegate.block.catalog import BlockCatalog
from storegate.block.observers import Observers
from storegate.cache.index_cache import IndexCache
from storegate.config.settings import Settings
from storegate.errors import CorruptError, NotFoundError, StoregateError
from storegate.index.access import Access
from storegate.index.header import IndexHeader
from storegate.index.matchers import MatcherCompiler, matcher_text
from storegate.metrics import Metrics
from storegate.query.call import Call
from storegate.query.chunk_pool import ChunkPool
from storegate.query.headers import HeaderLoads
from storegate.query.limits import Limits
from storegate.query.plan import BlockPlan
from storegate.query.request import LabelMatcher
from storegate.query.running import RunningQueries
from storegate.query.stats import QueryStats
from storegate.reads import Reader
from storegate.steps import Fetcher
from storegate.types import Partitioner


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The parts that all queries use. Everything in it is thread-safe."""

    settings: Settings
    catalog: BlockCatalog
    cache: IndexCache
    reader: Reader
    pool: Executor
    partitioner: Partitioner
    metrics: Metrics
    observers: Observers
    compiler: MatcherCompiler
    chunk_pool: ChunkPool
    header_loads: HeaderLoads
    running: RunningQueries = field(default_factory=RunningQueries)
    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000


class Query:
    """One request on its way through the stages."""

    def __init__(self, shared: Shared, call: Call, method: str) -> None:
        self.shared = shared
        self.call = call
        self.number = 0  # among those that run
        self.tenant = shared.metrics.tenant(call.tenant)
        self.stats = QueryStats(method=method, tenant=call.tenant)
        self.costs = call.costs = self.stats.costs
        settings = shared.settings
        limits = settings.limits
        self.limits = Limits(limits.series, limits.samples, limits.bytes, self._dropped)
        self.access = Access(
            cache=shared.cache,
            partitioner=shared.partitioner,
            stats=self.stats,
            metrics=shared.metrics,
            tenant=self.tenant,
            charge=self.limits.charge,
            lazy=settings.query.lazy_expanded_postings,
            max_key_series_ratio=settings.query.max_key_series_ratio,
        )
        self.fetcher = Fetcher(shared.reader, shared.cache.cache, call)

    def describe(self, matchers: Iterable[LabelMatcher], min_time: int, max_time: int) -> None:
        """Put the request on the bill."""
        costs = self.costs
        costs.traceparent = self.call.traceparent
        costs.request_id = self.call.request_id
        costs.matchers = tuple(matcher_text(matcher) for matcher in matchers)
        costs.min_time, costs.max_time = min_time, max_time

    def observe_fetches(self) -> None:
        """Observe, at the end of the request, what its blocks took to be read, and what was read twice."""
        fetches = self.shared.metrics.fetches(self.tenant)
        fetches.series_refetches.inc(self.stats.series_refetches)
        fetches.chunk_refetches.inc(self.stats.chunks_refetches)
        for seconds in self.access.series_seconds.values():
            fetches.series_sum.observe(seconds)
        for seconds, wall in self.costs.chunk_reads():
            fetches.chunks.observe(seconds)
            fetches.chunks_sum.observe(wall)

    def _dropped(self, limit: str) -> None:
        self.shared.metrics.queries_dropped_total.labels(limit, self.tenant).inc()

    def open_headers(self, plans: Sequence[BlockPlan], stack: ExitStack) -> list[IndexHeader] | None:
        """The index-headers of the blocks, held by `stack`; those that are not loaded are loaded side by side.

        None when one of the blocks turned out to be unusable and left the catalog: select blocks anew, as if it had
        never been there.
        """
        absent = [plan.block for plan in plans if not plan.block.header_loaded]
        if absent:
            self.shared.header_loads.load(absent, self.call)
        headers = []
        for plan in plans:
            self.call.check()
            try:
                with blamed(plan.block.meta.ulid, "postings"):
                    headers.append(stack.enter_context(plan.block.header()))
            except (CorruptError, NotFoundError):
                if plan.block.dropped:
                    return None
                raise
        return headers


@contextmanager
def blamed(block: str, stage: str) -> Iterator[None]:
    """Put the block and the stage on an error that has none yet."""
    try:
        yield
    except StoregateError as error:
        error.block = error.block or block
        error.stage = error.stage or stage
        raise
