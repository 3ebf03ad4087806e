"""One Series call between the engine, whose steps may block, and the event loop, which must not."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from storegate.query.call import Call
from storegate.query.request import SeriesRequest
from storegate_grpc.pools import Pools

if TYPE_CHECKING:
    from storegate.gateway import Gateway

Frames = list[bytes]


class Producer:
    """Makes lists of frames: quick steps on the event loop, all others on a worker thread, one list ahead.

    Handing a step over and back costs more than a quick step does, and two threads that pass the interpreter to and fro
    cost more than one: see docs/explanation/performance.md. A slow client slows its own query: the list after the next
    is not begun before the current one is written. `close` must be called in the end, on the event loop; it never
    blocks.
    """

    def __init__(self, gateway: Gateway, request: SeriesRequest, call: Call, pools: Pools) -> None:
        self._pools = pools
        self._work: Future[Frames | None] | None = None
        self._entered = False
        self.stream: Any = gateway.series(request, call)
        self.closed: Future[None] = Future()

    async def next_list(self) -> Frames | None:
        """The next list, None after the last. Where steps are slow, the one after it is in the making already."""
        frames: Frames | None = []
        while frames == [] and (self._work is not None or not self.stream.exhausted):
            frames = next(self.stream, None) if self._work is None and self.stream.quick else await self._by_thread()
        if self.stream.exhausted:
            return frames or None
        self._entered = True
        if not self.stream.quick:
            self._work = self._pools.running.submit(self._next)
        return frames

    def close(self) -> None:
        """Let go of the query once no worker is in it; `closed` is done after that."""
        if self._work is None:
            self._release()
        else:
            self._work.add_done_callback(lambda _: self._close_later())

    async def _by_thread(self) -> Frames | None:
        if self._work is None:
            pool = self._pools.running if self._entered else self._pools.entry
            self._work = pool.submit(self._next)
        frames = await asyncio.wrap_future(self._work)
        self._work = None
        return frames

    def _next(self) -> Frames | None:
        return next(self.stream, None)

    def _close_later(self) -> None:
        try:
            self._pools.running.submit(self._release)
        except RuntimeError:  # the pool is shut down
            self._release()

    def _release(self) -> None:
        try:
            self.stream.close()
        except BaseException as error:
            self.closed.set_exception(error)
        else:
            self.closed.set_result(None)
