"""`read_into` for stores that have none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from storegate.types import ObjectStore, SupportsReadInto

ReadInto = Callable[[str, int, memoryview], int]


class ReadableStore(ObjectStore, SupportsReadInto, Protocol):
    """An object store that has `read_into`; the wrappers of this module are."""


def read_into_of(store: ObjectStore) -> ReadInto:
    """The store's own `read_into`, or one that copies what `get_range` gives."""
    if isinstance(store, SupportsReadInto):
        return store.read_into

    def read_into(key: str, offset: int, buffer: memoryview) -> int:
        view = buffer.cast("B")
        data = store.get_range(key, offset, len(view))
        view[: len(data)] = data
        return len(data)

    return read_into
