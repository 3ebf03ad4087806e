"""A folder of a bucket as a bucket."""

from __future__ import annotations

from collections.abc import Iterator

from storegate.objstore.wrapper import StoreWrapper
from storegate.types import ObjectInfo, ObjectStore


def with_prefix(store: ObjectStore, prefix: str) -> ObjectStore:
    """The part of a store below `prefix`; slashes around it do not count, and an empty one is the whole store."""
    prefix = prefix.strip("/")
    return PrefixedStore(store, prefix) if prefix else store


class PrefixedStore(StoreWrapper):
    """The objects below `<prefix>/`, under names without it. As thread-safe as the store; `close` closes the store."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        super().__init__(store)
        self._prefix = f"{prefix.strip('/')}/"
        self.identity = f"{self.identity}\0{self._prefix}"

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`."""
        for info in self._store.list(self._prefix + prefix, recursive=recursive):
            yield self._inside(info)

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        return self._inside(self._store.head(self._prefix + key))

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        return self._store.get(self._prefix + key)

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        return self._store.get_range(self._prefix + key, offset, length)

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """See `storegate.SupportsReadInto`."""
        return self._read_into(self._prefix + key, offset, buffer)

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`."""
        self._store.put(self._prefix + key, data)

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`."""
        self._store.delete(self._prefix + key)

    def _inside(self, info: ObjectInfo) -> ObjectInfo:
        return ObjectInfo(key=info.key.removeprefix(self._prefix), size=info.size, modified=info.modified)
