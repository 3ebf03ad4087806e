"""meta.json and deletion marks: their content, and whether they exist (operations 9)."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from storegate.cache.bucket_metrics import CachingBucketMetrics
from storegate.cache.known_objects import KnownObjects
from storegate.cache.values import UNKNOWN, pack, pack_presence, unpack, unpack_presence
from storegate.config.settings import CachingBucketRef
from storegate.errors import NotFoundError
from storegate.flights import Flights
from storegate.types import Cache, ObjectInfo, ObjectStore


class Documents:
    """Small files from a cache, else from the bucket, once for all who want them now. Thread-safe.

    Where a listing or `head` told which version of a file the bucket has, only that one is taken from the cache.
    """

    def __init__(
        self,
        store: ObjectStore,
        cache: Cache,
        known: KnownObjects,
        settings: CachingBucketRef,
        namespace: str,
        metrics: CachingBucketMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._cache = cache
        self._known = known
        self._settings = settings
        self._namespace = namespace
        self._metrics = metrics
        self._clock = clock
        self._flights = Flights()

    def get(self, key: str) -> bytes:
        """The content. Raises NotFoundError, from the cache as well."""
        known = self._known.get(key)
        name, size = self._content_key(key), None if known is None else known.size
        landings = self._flights.landings
        values = self._cache.get_many([name, self._presence_key(key)])
        content = _whole(values.get(name), size)
        if content is not None:
            self._metrics.count("get", 1, 1)
            return content
        exists, _ = unpack_presence(key, values.get(self._presence_key(key)))
        absent = known is None and exists is False
        self._metrics.count("get", 1, absent)
        if absent:
            raise NotFoundError(f"{self._store.name}: object {key!r} does not exist (so the caching bucket remembers)")
        content = self._flights.once(name, partial(self._fetch, key, name, size, landings))
        assert isinstance(content, bytes)
        return content

    def head(self, key: str) -> ObjectInfo:
        """Size and time. Raises NotFoundError, from the cache as well."""
        name = self._presence_key(key)
        exists, info = unpack_presence(key, self._cache.get_many([name]).get(name))
        self._metrics.count("exists", 1, info is not None or exists is False)
        if exists is False:
            raise NotFoundError(f"{self._store.name}: object {key!r} does not exist (so the caching bucket remembers)")
        if info is None:
            info = self._flights.once(name, partial(self._ask, key))
            assert isinstance(info, ObjectInfo)
        self._known.learn(info)
        return info

    def written(self, key: str, data: bytes) -> None:
        """The file was created or replaced by this process."""
        self._known.forget(key)
        self._put(self._presence_key(key), pack_presence(None), self._settings.metafile_exists_ttl)
        self._keep_content(self._content_key(key), data, self._settings.metafile_content_ttl)

    def deleted(self, key: str) -> None:
        """The file was removed by this process."""
        self._known.forget(key)
        self._note_absence(key)
        self._put(self._content_key(key), UNKNOWN, self._settings.metafile_content_ttl)

    def _fetch(self, key: str, name: str, size: int | None, landings: int) -> bytes:
        if self._flights.landed_since([name], landings):
            content = _whole(self._cache.get_many([name]).get(name), size)
            if content is not None:
                return content
        began = self._clock()
        try:
            data = self._store.get(key)
        except NotFoundError:
            self._note_absence(key)
            raise
        if size in (None, len(data)):  # else it has changed since it was listed
            self._keep_content(name, data, self._settings.metafile_content_ttl - (self._clock() - began))
        return data

    def _ask(self, key: str) -> ObjectInfo:
        try:
            info = self._store.head(key)
        except NotFoundError:
            self._note_absence(key)
            raise
        self._put(self._presence_key(key), pack_presence(info), self._settings.metafile_exists_ttl)
        return info

    def _note_absence(self, key: str) -> None:
        value = pack_presence(None, exists=False)
        self._put(self._presence_key(key), value, self._settings.metafile_doesnt_exist_ttl)

    def _keep_content(self, name: str, data: bytes, ttl: float) -> None:
        if len(data) <= self._settings.metafile_max_size:
            self._put(name, pack(data), ttl)
        else:
            self._put(name, UNKNOWN, ttl)

    def _put(self, name: str, value: bytes, ttl: float) -> None:
        if ttl > 0:
            self._cache.set_many({name: value}, ttl)

    def _content_key(self, key: str) -> str:
        known = self._known.get(key)
        return f"content:{self._namespace}:{key}:{'' if known is None else known.version}"

    def _presence_key(self, key: str) -> str:
        return f"exists:{self._namespace}:{key}"


def _whole(value: bytes | None, size: int | None) -> bytes | None:
    """The content, if it is not damaged and has the size that is known."""
    content = unpack(value)
    return content if content is not None and size in (None, len(content)) else None
