"""Reading the objects of one block from end to end, a few ranges ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future

from storegate.errors import CorruptError
from storegate.types import ObjectStore

AHEAD = 3
"""Ranges that are under way while one is looked at."""
PART = 8 << 20
"""Bytes of one read, where what is read can be cut anywhere."""

Range = tuple[int, int]


class Source:
    """Reads below `<ULID>/`. One thread uses it; reads ahead run on `pool`. Raises what the store raises.

    `advance` is told of the bytes that `ahead` gives. Memory: at most AHEAD + 1 ranges.
    """

    def __init__(self, store: ObjectStore, ulid: str, pool: Executor, advance: Callable[[int], None]) -> None:
        self.ulid = ulid
        self._store = store
        self._pool = pool
        self._advance = advance

    def read(self, path: str, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`, all of them. Raises CorruptError when the object has become shorter."""
        if start >= end:
            return b""
        if end - start <= PART:
            return self._fetch(path, start, end)
        return b"".join(self._fetch(path, at, min(at + PART, end)) for at in range(start, end, PART))

    def ahead(self, path: str, ranges: Iterable[Range]) -> Iterator[tuple[Range, bytes]]:
        """Each range with its bytes, in order."""
        waiting: deque[tuple[Range, Future[bytes]]] = deque()
        todo = iter(ranges)
        try:
            while True:
                while len(waiting) <= AHEAD and (span := next(todo, None)) is not None:
                    waiting.append((span, self._pool.submit(self._fetch, path, *span)))
                if not waiting:
                    return
                span, reading = waiting.popleft()
                data = reading.result()
                self._advance(len(data))
                yield span, data
        finally:
            for _, reading in waiting:
                reading.cancel()

    def _fetch(self, path: str, start: int, end: int) -> bytes:
        data = self._store.get_range(f"{self.ulid}/{path}", start, end - start)
        if len(data) != end - start:
            raise CorruptError(
                f"the object ended after {start + len(data)} bytes, fewer than it had a moment ago",
                object=f"{self.ulid}/{path}",
                offset=start,
            )
        return data
