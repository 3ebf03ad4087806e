"""Ranges whose length is checked."""

from __future__ import annotations

from storegate.errors import UnavailableError
from storegate.objstore.wrapper import StoreWrapper
from storegate.types import ObjectStore

REMEMBERED_SIZES = 4096


class VerifiedStore(StoreWrapper):
    """A range that is longer than asked, or shorter though the object goes on, is an UnavailableError.

    A short answer costs a `head`, the first time that it ends where its object is not known to end.
    """

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store)
        self._sizes: dict[str, int] = {}  # of objects that were read to their end

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        data = self._store.get_range(key, offset, length)
        if len(data) != length:
            self._check(key, offset, length, len(data))
        return data

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """See `storegate.SupportsReadInto`."""
        got = self._read_into(key, offset, buffer)
        if got != buffer.nbytes:
            self._check(key, offset, buffer.nbytes, got)
        return got

    def _check(self, key: str, offset: int, asked: int, got: int) -> None:
        if got > asked:
            raise UnavailableError(f"{self.name}: {got} bytes came of {key!r} at {offset}, {asked} were asked for")
        if (known := self._sizes.get(key)) is not None and got == _available(known, offset, asked):
            return
        size = self._store.head(key).size
        if size is None:
            return
        if got != (available := _available(size, offset, asked)):
            raise UnavailableError(f"{self.name}: {got} bytes came of {key!r} at {offset}, there are {available}")
        if len(self._sizes) >= REMEMBERED_SIZES:
            self._sizes.clear()
        self._sizes[key] = size


def _available(size: int, offset: int, asked: int) -> int:
    return max(0, min(asked, size - offset))
