"""The handlers of `thanos.Store` and `thanos.info.Info`: bytes in, bytes out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, TypeVar

import grpc.aio

from storegate.errors import CancelledError
from storegate.query.call import Call
from storegate.query.request import StoreInfo
from storegate_grpc import answers, requests
from storegate_grpc.calls import open_call
from storegate_grpc.codes import NotReadyError
from storegate_grpc.pools import Pools
from storegate_grpc.producer import Producer
from storegate_grpc.rpc_metrics import MethodMetrics

if TYPE_CHECKING:
    from storegate.gateway import Gateway
    from storegate.query.stats import QueryStats

T = TypeVar("T")


class Services:
    """Runs on the event loop; every engine call runs on a worker thread of `pools`."""

    def __init__(self, gateway: Gateway, pools: Pools, *, series_hints: bool, log: Any) -> None:
        self._gateway = gateway
        self._pools = pools
        self._series_hints = series_hints
        self._log = log
        self.closing: set[Future[None]] = set()
        """Series calls whose query still holds blocks."""

    async def series(self, data: bytes, context: Any, metrics: MethodMetrics) -> None:
        request, want_stats = requests.series_request(data)
        call = open_call(context)
        producer = Producer(self._gateway, request, call, self._pools)
        self._watch(producer)
        pending = self._gateway.metrics.store_server_pending_series_requests
        pending.inc()
        try:
            while (frames := await producer.next_list()) is not None:
                await _write(context, frames)
                metrics.sent.inc(len(frames))
            if self._series_hints:
                stats = producer.stream.stats if want_stats else None
                await _write(context, [answers.series_hints(producer.stream.blocks, stats)])
                metrics.sent.inc()
        except BaseException:
            call.cancel()
            raise
        finally:
            pending.dec()
            producer.close()
        self._count_answer(producer.stream.stats)

    async def label_names(self, data: bytes, context: Any) -> bytes:
        request = requests.label_names_request(data)
        call = open_call(context)
        return await _run(
            self._pools.labels, call, lambda: answers.label_names(self._gateway.label_names(request, call))
        )

    async def label_values(self, data: bytes, context: Any) -> bytes:
        request = requests.label_values_request(data)
        call = open_call(context)
        return await _run(
            self._pools.labels, call, lambda: answers.label_values(self._gateway.label_values(request, call))
        )

    async def info(self, data: bytes, context: Any) -> bytes:
        return await _run(self._pools.info, open_call(context), lambda: answers.info(self._store_info()))

    async def legacy_info(self, data: bytes, context: Any) -> bytes:
        return await _run(self._pools.info, open_call(context), lambda: answers.legacy_info(self._store_info()))

    def _store_info(self) -> StoreInfo:
        if not self._gateway.ready:
            raise NotReadyError("Not ready")
        store: StoreInfo = self._gateway.info()
        return store

    def _count_answer(self, stats: QueryStats) -> None:
        """Batched series count too: the reference counts only frames of a single series."""
        self._gateway.metrics.store_server_series_requested.observe(stats.merged_series_count)
        self._gateway.metrics.store_server_chunks_requested.observe(stats.merged_chunks_count)

    def _watch(self, producer: Producer) -> None:
        def done(closed: Future[None]) -> None:
            self.closing.discard(closed)
            if error := closed.exception():
                self._log.error("closing a finished query failed", err=repr(error))

        self.closing.add(producer.closed)
        producer.closed.add_done_callback(done)


async def _run(pool: Executor, call: Call, work: Callable[[], T]) -> T:
    """The result of `work`, done on a worker thread. When the client goes away the call is cancelled."""

    def checked() -> T:
        call.check()
        return work()

    try:
        return await asyncio.wrap_future(pool.submit(checked))
    except asyncio.CancelledError:
        call.cancel()
        raise


async def _write(context: Any, frames: list[bytes]) -> None:
    try:
        for frame in frames:
            await context.write(frame)
    except grpc.aio.BaseError as error:  # the transport broke; grpc cancels the handler a moment later
        raise CancelledError("the client went away while the answer was sent") from error
