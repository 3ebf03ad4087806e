"""Sizes and times of chunk files: from listings that passed by, from the cache, else from the bucket."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from storegate.cache.known_objects import Known, KnownObjects, is_chunk_file
from storegate.cache.values import UNKNOWN, pack_presence, unpack_presence
from storegate.flights import Flights
from storegate.types import Cache, ObjectInfo


class ChunkAttributes:
    """What is known of chunk files. Thread-safe. `head` asks the bucket; `ttl` is in seconds."""

    def __init__(
        self, cache: Cache, head: Callable[[str], ObjectInfo], known: KnownObjects, ttl: float, namespace: str
    ) -> None:
        self._cache = cache
        self._head = head
        self._known = known
        self._ttl = ttl
        self._namespace = namespace
        self._flights = Flights()

    def get(self, key: str) -> Known | None:
        """What is at hand."""
        return self._known.get(key)

    def is_chunk_file(self, key: str) -> bool:
        """Whether it is one; quick for those that something is known of."""
        return self._known.get(key) is not None or is_chunk_file(key)

    def look_up(self, keys: Collection[str]) -> None:
        """Learn what the cache has; that is not sure."""
        names = {self._key(key): key for key in keys}
        for name, value in self._cache.get_many(list(names)).items():
            _, info = unpack_presence(names[name], value)
            if info is not None:
                self._known.learn(info, sure=False)

    def ask(self, key: str) -> ObjectInfo:
        """Ask the bucket, once for all who want it now. Raises NotFoundError."""
        info: ObjectInfo = self._flights.once(key, partial(self._ask, key))
        return info

    def _ask(self, key: str) -> ObjectInfo:
        info = self._head(key)
        self._known.learn(info)
        self._put(key, pack_presence(info))
        return info

    def forget(self, key: str) -> None:
        """A chunk file was written or deleted, or differs from what was known of it."""
        self._known.forget(key)
        self._put(key, UNKNOWN)

    def _key(self, key: str) -> str:
        return f"attrs:{self._namespace}:{key}"

    def _put(self, key: str, value: bytes) -> None:
        if self._ttl > 0:
            self._cache.set_many({self._key(key): value}, self._ttl)
