"""The answer to a Series call: windows read ahead, cut into frames exactly as the client asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from storegate.query.window import Window, WindowContext
from storegate.query.wire import uvarint

FIRST_SERIES = 256
"""Series of the first window: the client gets something early."""
SERIES = 1024
CHUNKS = 8192
"""Most chunks of a window, so that wide series do not make it large."""
CHUNKS_PER_BLOCK = 128
"""But enough of them for each block that its reads are worth their round trip."""
AHEAD = 4
"""Windows whose reads are under way while one is written, where reads take time."""
READ_AHEAD_BYTES = 32 << 20


class FrameCutter:
    """Cuts series of many windows into frames: one each, or batches of exactly `batch`, the last one shorter.

    A negative `batch` gives one frame for each window.
    """

    def __init__(self, batch: int) -> None:
        self._by_window = batch < 0
        self._batch = batch if batch >= 2 else 0
        self._pieces: list[bytes] = []
        self._pending = 0

    def cut(self, window: Window) -> list[bytes]:
        """The frames that this window completes."""
        n, batch = window.series, self._batch
        if self._by_window:
            return window.write(0, n, n)
        if not batch:
            return window.write(0, n, 0)
        frames: list[bytes] = []
        begin = 0
        if self._pending:
            begin = min(batch - self._pending, n)
            self._keep(window, 0, begin)
            if self._pending == batch:
                frames += self.rest()
        whole = begin + (n - begin) // batch * batch
        frames += window.write(begin, whole, batch)
        if whole < n:
            self._keep(window, whole, n)
        return frames

    def rest(self) -> list[bytes]:
        """The frame that is not full yet."""
        if not self._pending:
            return []
        size = sum(map(len, self._pieces))
        frame = b"".join((b"\x22" + uvarint(size), *self._pieces))
        self._pieces.clear()
        self._pending = 0
        return [frame]

    def _keep(self, window: Window, begin: int, end: int) -> None:
        self._pieces += window.write(begin, end, end - begin, headed=False)
        self._pending += end - begin


def stream_frames(
    context: WindowContext, batch: int, limit: int, chunk_sizes: list[NDArray[np.int64]]
) -> Iterator[tuple[list[bytes], bool]]:
    """(frames, whether they are the last), from one window each. `chunk_sizes` collects bytes for the metrics."""
    cutter = FrameCutter(batch)
    for window, last in _windows(context, limit):
        context.call.check()
        window.finish()
        frames = cutter.cut(window)
        context.stats.merged_series_count += window.series
        context.stats.merged_chunks_count += window.kept
        chunk_sizes.append(window.chunk_sizes())
        if last:
            frames += cutter.rest()
        del window  # while the client takes the frames, only they are held
        if frames or last:
            yield frames, last
            frames = []


def _windows(context: WindowContext, limit: int) -> Iterator[tuple[Window, bool]]:
    """Windows in order, the reads of the next ones under way, and whether each is the last."""
    total = len(context.merged.order)
    begin, left = 0, limit if limit > 0 else total
    ahead: deque[Window] = deque()
    window: Window | None = None
    planned = 0
    size = FIRST_SERIES
    most = max(CHUNKS, CHUNKS_PER_BLOCK * context.merged.blocks)
    while True:
        while begin < total and left > 0 and len(ahead) <= AHEAD and (not ahead or planned < READ_AHEAD_BYTES):
            window = Window(context, begin, min(size, left), most)
            window.start()
            ahead.append(window)
            begin, left, size = window.end, left - window.series, SERIES
            planned += window.read_size
            if not window.reading:
                break
        if not ahead:
            return
        planned -= ahead[0].read_size
        window = None
        yield ahead.popleft(), not ahead and (begin >= total or left <= 0)
