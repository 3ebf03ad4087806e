"""A bucket in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping

from storegate.errors import NotFoundError
from storegate.types import ObjectInfo


class MemoryStore:
    """A writable ObjectStore over a dictionary. Thread-safe. `modified` of an object is when it was put (ms)."""

    writable = True

    def __init__(self, objects: Mapping[str, bytes] | None = None, *, name: str = "memory") -> None:
        self.name = name
        self._objects: dict[str, tuple[bytes, int]] = {}
        self._lock = threading.Lock()
        self.closed = False
        for key, data in (objects or {}).items():
            self.put(key, data)

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`."""
        with self._lock:
            keys = [key for key in self._objects if key.startswith(prefix)]
        if not recursive:
            keys = [key[: (key.find("/", len(prefix)) + 1) or None] for key in keys]
        for key in sorted(set(keys)):
            yield ObjectInfo(key=key) if key.endswith("/") else self.head(key)

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        data, modified = self._find(key)
        return ObjectInfo(key=key, size=len(data), modified=modified)

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        return self._find(key)[0]

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        return self._find(key)[0][offset : offset + length]

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`."""
        with self._lock:
            self._objects[key] = (bytes(data), int(time.time() * 1000))

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`."""
        with self._lock:
            if self._objects.pop(key, None) is None:
                raise NotFoundError(f"{self.name}: object {key!r} does not exist")

    def close(self) -> None:
        """See `storegate.ObjectStore.close`; `closed` tells tests that it happened."""
        self.closed = True

    def _find(self, key: str) -> tuple[bytes, int]:
        with self._lock:
            found = self._objects.get(key)
        if found is None:
            raise NotFoundError(f"{self.name}: object {key!r} does not exist")
        return found
