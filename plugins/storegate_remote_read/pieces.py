"""From a worker thread, where the engine may block, to the event loop that sends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable

from storegate.query.call import Call

AHEAD = 2
"""Pieces that are made before the first of them is taken: a slow client slows its own query."""


class Pieces:
    """The body of one answer on its way: `make` runs on a worker, everything else on the event loop."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self._lock = threading.Lock()
        self._room = threading.Event()
        self._room.set()
        self._waiting = 0

    def make(self, body: Callable[[], Iterable[bytes]]) -> None:
        """Hand over each piece, then the end or the error that ended it."""
        try:
            for piece in body():
                if piece:
                    self._put(piece)
            self._hand_over(None)
        except BaseException as error:
            self._hand_over(error)

    async def next(self) -> bytes | None:
        """The next piece, None after the last. Raises what the worker met."""
        piece = await self._queue.get()
        if isinstance(piece, BaseException):
            raise piece
        with self._lock:
            self._waiting -= 1
            self._room.set()
        return piece

    def _put(self, piece: bytes) -> None:
        self._call.wait(self._room)
        with self._lock:
            self._waiting += 1
            if self._waiting >= AHEAD:
                self._room.clear()
        self._hand_over(piece)

    def _hand_over(self, piece: bytes | BaseException | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, piece)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass
