"""The Series call: gate, plan, postings, series, merge, then a stream of frames."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from storegate.block.catalog import CatalogSnapshot, Selection
from storegate.errors import StoregateError
from storegate.query.call import Call
from storegate.query.context import Query, Shared, blamed
from storegate.query.gate import Gate
from storegate.query.merge import merge_series
from storegate.query.plan import BlockPlan, Matchers, block_filter, held, left_over
from storegate.query.request import SeriesRequest
from storegate.query.select import SelectedSeries, Wanted, expand_block, select_series
from storegate.query.stats import QueryStats
from storegate.query.stream import stream_frames
from storegate.query.window import WindowContext

MAX_BATCH = 1 << 20
"""A larger `response_batch_size` is cut to this: it is a mistake, and one frame has to fit into memory."""


class SeriesStream:
    """Iterates over lists of ready `SeriesResponse` frames. `next` blocks; use one thread at a time.

    `stats` fills up as the stream goes on; `blocks` are the ULIDs that were read, once the first item is there. `close`
    must be called in the end, whether the stream was read to its end or not: it lets the blocks and the place in the
    gate go, and counts the query.
    """

    def __init__(self, shared: Shared, gate: Gate, request: SeriesRequest, call: Call) -> None:
        self._query = Query(shared, call, "Series")
        self._gate = gate
        self._request = request
        self._stack = ExitStack()
        self._frames: Iterator[list[bytes]] | None = None
        self._chunk_sizes: list[NDArray[np.int64]] = []
        self._started = 0.0
        self._closed = False
        self.blocks: tuple[str, ...] = ()

    @property
    def stats(self) -> QueryStats:
        return self._query.stats

    def __iter__(self) -> SeriesStream:
        return self

    def __next__(self) -> list[bytes]:
        """The next frames, StopIteration after the last. Raises StoregateError; then nothing more follows."""
        try:
            if self._frames is None:
                self._frames = self._open()
            frames = next(self._frames)
        except StopIteration:
            self._leave()
            raise
        except BaseException as error:
            self.stats.error = str(error) or type(error).__name__
            self._leave()
            raise
        return frames

    def close(self) -> None:
        """End the query. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._leave()
        sizes = np.concatenate(self._chunk_sizes) if self._chunk_sizes and not self._request.skip_chunks else None
        shared = self._query.shared
        shared.metrics.observe_series(self.stats, sizes)
        self._count_refetches()
        shared.observers.query_finished(self.stats)

    def _leave(self) -> None:
        if self._started and not self.stats.merge_seconds:
            self.stats.merge_seconds = time.monotonic() - self._started
        self._frames = iter(())
        self._stack.close()

    def _count_refetches(self) -> None:
        metrics, stats, tenant = self._query.shared.metrics, self.stats, self._query.tenant
        if stats.series_refetches:
            metrics.series_refetches_total.labels(tenant).inc(stats.series_refetches)
        if stats.chunks_refetches:
            metrics.chunk_refetches_total.labels(tenant).inc(stats.chunks_refetches)

    def _open(self) -> Iterator[list[bytes]]:
        request, query, shared = self._request, self._query, self._query.shared
        self._stack.enter_context(self._gate.turn(query.call))
        matchers = shared.compiler.compile(request.matchers)
        passes = block_filter(shared.compiler.compile(request.block_matchers))
        low, high = shared.settings.time.resolve(shared.now())
        wanted = Wanted(
            min_time=max(request.min_time, low),
            max_time=min(request.max_time, high),
            chunks=not request.skip_chunks,
            without=request.without_replica_labels,
            shard=request.shard,
            limit=request.limit,
            batch=shared.settings.query.series_batch,
            series_size=shared.settings.query.series_size,
        )

        def select(snapshot: CatalogSnapshot) -> list[Selection[Matchers]]:
            return snapshot.select_series(
                wanted.min_time,
                wanted.max_time,
                max(0, request.max_resolution),
                lambda labels: left_over(matchers, labels),
                passes,
            )

        plans = self._stack.enter_context(held(shared.catalog.snapshot, select))
        self.blocks = tuple(plan.block.meta.ulid for plan in plans)
        started = time.monotonic()
        parts = self._select(plans, wanted)
        self.stats.blocks_queried = len(plans)
        self._started = time.monotonic()
        self.stats.get_all_seconds = self._started - started
        if not parts:
            return iter(())
        context = WindowContext(
            merged=merge_series(parts, shared.settings.query.chunk_size),
            reader=shared.reader,
            partitioner=shared.partitioner,
            limits=query.limits,
            stats=self.stats,
            call=query.call,
            aggregates=sum(1 << aggregate for aggregate in set(request.aggregates) if 0 <= aggregate <= 5),
        )
        frames = stream_frames(context, min(request.batch_size, MAX_BATCH), request.limit, self._chunk_sizes)
        return _staged(frames)

    def _select(self, plans: list[BlockPlan], wanted: Wanted) -> list[SelectedSeries]:
        """Every block's matching series, blocks without any left out. Index-headers are let go as soon as possible."""
        query = self._query
        with ExitStack() as stack:
            headers = query.open_headers(plans, stack)
            with blamed("", "postings"):
                expanded = query.fetcher.drive(
                    (
                        plan.block.meta.ulid,
                        expand_block(
                            plan.block, header, plan.matchers, plan.digest, wanted, query.access, query.limits
                        ),
                    )
                    for plan, header in zip(plans, headers, strict=True)
                )
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
            query.shared.metrics.empty_postings_total.labels(query.tenant).inc(empty)
        return parts


def _staged(frames: Iterator[list[bytes]]) -> Iterator[list[bytes]]:
    """Errors from here on are about chunks."""
    try:
        yield from frames
    except StoregateError as error:
        error.stage = error.stage or "chunks"
        raise
