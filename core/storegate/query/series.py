"""The Series call: gate, plan, postings, series, merge, then a stream of frames."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from storegate.block.catalog import CatalogSnapshot, Selection
from storegate.index.header import IndexHeader
from storegate.query.call import Call
from storegate.query.context import Query, Shared, blamed
from storegate.query.costs import CHUNKS
from storegate.query.gate import Gate
from storegate.query.merge import merge_series
from storegate.query.plan import BlockPlan, Matchers, Select, block_filter, held, left_over
from storegate.query.request import SeriesRequest
from storegate.query.select import Expansion, SelectedSeries, Wanted, expand_block, select_series
from storegate.query.stats import QueryStats
from storegate.query.stream import stream_frames
from storegate.query.window import WindowContext

QUICK_BLOCKS = 8
QUICK_SERIES = 512
"""Up to so many blocks and series, a query whose data is at hand takes a millisecond or two."""
MAX_BATCH = 1 << 20
"""A larger `response_batch_size` is cut to this: it is a mistake, and one frame has to fit into memory."""


class SeriesStream:
    """Iterates over lists of ready `SeriesResponse` frames; a list may be empty. Use one thread at a time.

    `next` may block, except while `quick` says that the next step is a matter of a millisecond: an event loop may then
    take it itself. `exhausted` says that nothing follows. `stats` fills up as the stream goes on; `blocks` are the
    ULIDs that were read, complete with the first frames. `close` must be called in the end, whether the stream was read
    to its end or not: it lets the blocks and the place in the gate go, and counts the query.
    """

    def __init__(self, shared: Shared, gate: Gate, request: SeriesRequest, call: Call) -> None:
        self._query = Query(shared, call, "Series")
        self._query.describe(request.matchers, request.min_time, request.max_time)
        shared.running.add(self._query)
        self._gate = gate
        self._request = request
        self._stack = ExitStack()
        self._steps = self._run()
        self._chunk_sizes: list[NDArray[np.int64]] = []
        self._merging = 0.0
        self._closed = False
        self.quick = True
        self.exhausted = False
        self.blocks: tuple[str, ...] = ()

    @property
    def stats(self) -> QueryStats:
        return self._query.stats

    def __iter__(self) -> SeriesStream:
        return self

    def __next__(self) -> list[bytes]:
        """The next frames, StopIteration after the last. Raises StoregateError; then nothing more follows."""
        costs = self._query.costs
        costs.go_on()
        try:
            frames = next(self._steps)
            if frames:
                costs.wait_for_client()
            return frames
        except StopIteration:
            self._leave()
            raise
        except BaseException as error:
            self.stats.error = str(error) or type(error).__name__
            self._leave()
            raise

    def close(self) -> None:
        """End the query. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._leave()
        self._query.costs.enter("")
        self._query.shared.running.remove(self._query)
        sizes = np.concatenate(self._chunk_sizes) if self._chunk_sizes and not self._request.skip_chunks else None
        shared = self._query.shared
        shared.metrics.observe_series(self.stats, sizes)
        self._query.observe_fetches()
        shared.observers.query_finished(self.stats)

    def _leave(self) -> None:
        if self._merging and not self.stats.merge_seconds:
            self.stats.merge_seconds = time.monotonic() - self._merging
        self.exhausted = True
        self._steps.close()
        self._stack.close()

    # --- the steps: each ends with a `yield`, before which `quick` is set for the one that follows ---

    def _run(self) -> Generator[list[bytes], None, None]:
        request, query = self._request, self._query
        if not self._gate.try_enter():
            self.quick = False
            yield []
            self._gate.enter(query.call)
        self._stack.callback(self._gate.leave)
        query.costs.enter("plan")
        matchers = query.shared.compiler.compile(request.matchers)
        wanted = self._wanted()
        select = self._selection(matchers, wanted)
        started = time.monotonic()
        with ExitStack() as headers:
            opened = None
            while opened is None:
                plans = self._stack.enter_context(held(query.shared.catalog.snapshot, select))
                if self.quick and not self._quick_postings(plans, matchers):
                    self.quick = False
                    yield []
                opened = query.open_headers(plans, headers)
            self.blocks = tuple(plan.block.meta.ulid for plan in plans)
            query.costs.enter("postings")
            expanded = self._expand(plans, opened, wanted)
            if self.quick and sum(len(refs) for refs, _ in expanded) > QUICK_SERIES:
                self.quick = False
                yield []
            query.costs.enter("series")
            parts = self._select(plans, opened, expanded, wanted)
        self.stats.blocks_queried = len(plans)
        query.costs.enter("merge")
        self._merging = time.monotonic()
        self.stats.get_all_seconds = self._merging - started
        if parts:
            yield from self._stream(parts)

    def _wanted(self) -> Wanted:
        request, settings = self._request, self._query.shared.settings
        low, high = settings.time.resolve(self._query.shared.now())
        return Wanted(
            min_time=max(request.min_time, low),
            max_time=min(request.max_time, high),
            chunks=not request.skip_chunks,
            without=request.without_replica_labels,
            shard=request.shard,
            limit=request.limit,
            batch=settings.query.series_batch,
            series_size=settings.query.series_size,
        )

    def _selection(self, matchers: Matchers, wanted: Wanted) -> Select:
        passes = block_filter(self._query.shared.compiler.compile(self._request.block_matchers))

        def select(snapshot: CatalogSnapshot) -> list[Selection[Matchers]]:
            return snapshot.select_series(
                wanted.min_time,
                wanted.max_time,
                max(0, self._request.max_resolution),
                lambda labels: left_over(matchers, labels),
                passes,
            )

        return select

    def _quick_postings(self, plans: list[BlockPlan], matchers: Matchers) -> bool:
        """Few blocks, open index-headers, matchers that name values, and a cache and store that answer at once."""
        return (
            len(plans) <= QUICK_BLOCKS
            and all(matcher.names_values for matcher in matchers)
            and all(plan.block.header_loaded for plan in plans)
            and self._query.fetcher.quick(2 * len(plans))
        )

    def _expand(self, plans: list[BlockPlan], headers: list[IndexHeader], wanted: Wanted) -> list[Expansion]:
        query = self._query
        with blamed("", "postings"):
            return query.fetcher.drive(
                (
                    plan.block.meta.ulid,
                    expand_block(plan.block, header, plan.matchers, plan.digest, wanted, query.access, query.limits),
                )
                for plan, header in zip(plans, headers, strict=True)
            )

    def _select(
        self, plans: list[BlockPlan], headers: list[IndexHeader], expanded: list[Expansion], wanted: Wanted
    ) -> list[SelectedSeries]:
        """Every block's matching series, blocks without any left out."""
        query = self._query
        with blamed("", "series"):
            found = query.fetcher.drive(
                (
                    plan.block.meta.ulid,
                    select_series(plan.block, header, refs, lazy, wanted, query.access, query.limits, query.call),
                )
                for plan, header, (refs, lazy) in zip(plans, headers, expanded, strict=True)
                if len(refs)
            )
        parts = [part for part in found if len(part)]
        if empty := len(plans) - len(parts):
            query.shared.metrics.fetches(query.tenant).empty_postings.inc(empty)
        return parts

    def _stream(self, parts: list[SelectedSeries]) -> Generator[list[bytes], None, None]:
        request, query, shared = self._request, self._query, self._query.shared
        context = WindowContext(
            merged=merge_series(parts, shared.settings.query.chunk_size),
            reader=shared.reader,
            partitioner=shared.partitioner,
            limits=query.limits,
            stats=self.stats,
            call=query.call,
            pool=shared.chunk_pool,
            aggregates=sum(1 << aggregate for aggregate in set(request.aggregates) if 0 <= aggregate <= 5),
        )
        query.costs.enter(CHUNKS)
        with blamed("", "chunks"):
            for frames, last in stream_frames(
                context, min(request.batch_size, MAX_BATCH), request.limit, self._chunk_sizes
            ):
                self.exhausted = last
                self.quick = last or request.skip_chunks or shared.reader.quick(QUICK_BLOCKS)
                yield frames
