"""One Series call between the engine, which blocks on worker threads, and the event loop, which must not."""

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
    """Makes lists of frames, one ahead of the one that is being written.

    A slow client slows its own query: the list after the next is not begun before the current one is written. `close`
    must be called in the end, on the event loop; it never blocks.
    """

    def __init__(self, gateway: Gateway, request: SeriesRequest, call: Call, pools: Pools) -> None:
        self._gateway = gateway
        self._request = request
        self._call = call
        self._pools = pools
        self._work: Future[Frames | None] | None = None
        self.stream: Any = None
        self.closed: Future[None] = Future()

    async def next_list(self) -> Frames | None:
        """The next list, None after the last. Another one is in the making while the caller writes this one."""
        if self._work is None:
            self._work = self._pools.entry.submit(self._open)
        frames = await asyncio.wrap_future(self._work)
        if frames is not None:
            self._work = self._pools.running.submit(self._next)
        return frames

    def close(self) -> None:
        """Let go of the query once no worker is in it; `closed` is done after that."""
        if self._work is None:
            self._release()
        else:
            self._work.add_done_callback(lambda _: self._close_later())

    def _open(self) -> Frames | None:
        self._call.check()
        self.stream = self._gateway.series(self._request, self._call)
        return self._next()

    def _next(self) -> Frames | None:
        return next(self.stream, None)

    def _close_later(self) -> None:
        try:
            self._pools.running.submit(self._release)
        except RuntimeError:  # the pool is shut down
            self._release()

    def _release(self) -> None:
        try:
            if self.stream is not None:
                self.stream.close()
        except BaseException as error:
            self.closed.set_exception(error)
        else:
            self.closed.set_result(None)
