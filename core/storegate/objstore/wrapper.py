"""The base of wrappers around object stores."""

from __future__ import annotations

from collections.abc import Iterator

from storegate.objstore.read_into import read_into_of
from storegate.types import ObjectInfo, ObjectStore


def identity_of(store: ObjectStore) -> str:
    """What tells this bucket from all others of its type: the store's attribute `identity`, else its name."""
    return getattr(store, "identity", "") or store.name


class StoreWrapper:
    """Passes every call on to `store`. As thread-safe as that; `close` closes it."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._read_into = read_into_of(store)
        self.name = store.name
        self.identity = identity_of(store)
        self.writable = store.writable

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`."""
        return self._store.list(prefix, recursive=recursive)

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        return self._store.head(key)

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        return self._store.get(key)

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        return self._store.get_range(key, offset, length)

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """See `storegate.SupportsReadInto`."""
        return self._read_into(key, offset, buffer)

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`."""
        self._store.put(key, data)

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`."""
        self._store.delete(key)

    def close(self) -> None:
        """See `storegate.ObjectStore.close`."""
        self._store.close()
