"""The caching bucket: a cache between the gateway and its object store (operations 9).

It lies above the wrapper that counts requests, so metrics of the object store count what the cache did not have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from storegate.cache.bucket_metrics import CachingBucketMetrics
from storegate.cache.chunk_attributes import ChunkAttributes
from storegate.cache.documents import Documents
from storegate.cache.known_objects import KnownObjects, is_chunk_file, is_document
from storegate.cache.subranges import Subranges
from storegate.cache.values import UNKNOWN, pack_infos, unpack_infos
from storegate.config.settings import CachingBucketRef
from storegate.flights import wait_here
from storegate.objstore import StoreWrapper, read_into_of
from storegate.reads import Read, finish_here, new_arena
from storegate.types import Cache, ObjectInfo, ObjectStore

LEAST_MEMORY_SECONDS = 60.0
"""Sizes of chunk files, which never change, are remembered in the process for so long at least."""


class CachingBucket:
    """An object store that asks a cache first. As thread-safe as the store; `close` closes both.

    Cached are parts of chunk files and their attributes, meta files and deletion marks and whether they exist, and
    listings of the whole bucket; everything else passes. `subranges` serves many reads together. `namespace` tells this
    bucket from others that share the cache. Writes go to the store, and what they outdate is overwritten.
    """

    def __init__(
        self,
        store: ObjectStore,
        cache: Cache,
        settings: CachingBucketRef,
        metrics: CachingBucketMetrics,
        *,
        namespace: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = store.name
        self.writable = store.writable
        self._store = store
        self._cache = cache
        self._settings = settings
        self._metrics = metrics
        self._namespace = namespace
        self._clock = clock
        self._read_into = read_into_of(store)
        chunk_ttl = max(settings.chunk_object_attrs_ttl, LEAST_MEMORY_SECONDS)
        self._known = KnownObjects(chunk_ttl, settings.metafile_exists_ttl, clock)
        self._attributes = ChunkAttributes(cache, store.head, self._known, settings.chunk_object_attrs_ttl, namespace)
        self._documents = Documents(store, cache, self._known, settings, namespace, metrics, clock)
        self.subranges = Subranges(cache, self._attributes, settings, namespace, metrics)

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`. A listing of the whole bucket is cached once it was read to its end."""
        if prefix:
            for info in self._store.list(prefix, recursive=recursive):
                self._known.learn(info)
                yield info
            return
        name, began = self._listing_key(recursive), self._clock()
        cached = unpack_infos(self._cache.get_many([name]).get(name))
        self._metrics.count("iter", 1, cached is not None)
        seen = self._known.empty()
        infos: list[ObjectInfo] = []
        for info in self._store.list(recursive=recursive) if cached is None else cached:
            seen.learn(info)
            infos.append(info)
            yield info
        if recursive:
            self._known.replace(seen)
        ttl = self._settings.blocks_iter_ttl - (self._clock() - began)
        if cached is None and ttl > 0:
            self._cache.set_many({name: pack_infos(infos)}, ttl)

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        if is_document(key):
            return self._documents.head(key)
        return self._chunk_head(key) if is_chunk_file(key) else self._store.head(key)

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        return self._documents.get(key) if is_document(key) else self._store.get(key)

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        if offset < 0 or length <= 0 or not is_chunk_file(key):
            return self._store.get_range(key, offset, length)
        arena = new_arena(length)
        return bytes(arena[: self.read_into(key, offset, arena)])

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """See `storegate.SupportsReadInto`."""
        if offset < 0 or not buffer.nbytes or not is_chunk_file(key):
            return self._read_into(key, offset, buffer)
        read = Read(key, offset, buffer.cast("B"))
        finish_here(self.subranges.take([read]), self._perform, wait_here)
        return read.got

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`."""
        self._store.put(key, data)
        if is_document(key):
            self._documents.written(key, data)
        self._changed(key)

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`."""
        self._store.delete(key)
        if is_document(key):
            self._documents.deleted(key)
        self._changed(key)

    def close(self) -> None:
        """See `storegate.ObjectStore.close`."""
        self._cache.close()
        self._store.close()

    def _chunk_head(self, key: str) -> ObjectInfo:
        if self._attributes.get(key) is None:
            self._attributes.look_up([key])
        known = self._attributes.get(key)
        self._metrics.count("attributes", 1, known is not None)
        if known is None:
            return self._attributes.ask(key)
        return ObjectInfo(key=key, size=known.size, modified=known.modified)

    def _perform(self, read: Read) -> None:
        try:
            read.perform(self._read_into)
        except BaseException as error:
            read.error = error
            raise

    def _changed(self, key: str) -> None:
        """Forget what a write to this key outdates."""
        if is_chunk_file(key):
            self._attributes.forget(key)
        ttl = self._settings.blocks_iter_ttl
        if ttl > 0:
            self._cache.set_many({self._listing_key(recursive): UNKNOWN for recursive in (False, True)}, ttl)

    def _listing_key(self, recursive: bool) -> str:
        return f"{'iter-recursive' if recursive else 'iter'}:{self._namespace}"


class PastCache(StoreWrapper):
    """The bucket itself for who must see what it holds now; writes outdate what the caching bucket remembers."""

    def __init__(self, caching: CachingBucket, store: ObjectStore) -> None:
        super().__init__(store)
        self._caching = caching

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`."""
        self._caching.put(key, data)

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`."""
        self._caching.delete(key)
