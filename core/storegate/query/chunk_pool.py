"""What the chunks of all running queries may take together (operations 13)."""

from __future__ import annotations

import threading

from storegate.errors import UnavailableError


class ChunkPool:
    """Counts bytes that queries hold, up to `limit`; 0 is no limit. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that are held now."""
        return self._used

    def take(self, size: int) -> None:
        """Raises UnavailableError when there is not as much left."""
        with self._lock:
            if 0 < self._limit < self._used + size:
                raise UnavailableError(
                    f"allocate chunk bytes: pool exhausted: {size} bytes wanted, {self._used} of {self._limit} are in "
                    "use; try again, or raise query.chunk_pool (--chunk-pool-size)"
                )
            self._used += size

    def give_back(self, size: int) -> None:
        """What was taken is free again."""
        with self._lock:
            self._used -= size


class PoolShare:
    """What one holder has taken; it goes back when the share is dropped, however the holder ended."""

    __slots__ = ("_pool", "_size")

    def __init__(self, pool: ChunkPool) -> None:
        self._pool = pool
        self._size = 0

    def take(self, size: int) -> None:
        """Take more. Raises as the pool does."""
        self._pool.take(size)
        self._size += size

    def __del__(self) -> None:
        self._pool.give_back(self._size)
