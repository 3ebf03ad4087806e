"""One small document per block: from memory, from a local copy, or from the bucket."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import structlog

from storegate.block.copies import LocalCopies
from storegate.errors import CorruptError, NotFoundError
from storegate.types import ObjectInfo, ObjectStore

T = TypeVar("T")

log = structlog.get_logger(component="blocks")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    """What was read: the value or why it is none, and the last value that was."""

    size: int | None
    modified: int | None
    value: T | None
    error: CorruptError | None
    last_good: T | None

    def is_of(self, info: ObjectInfo) -> bool:
        """Whether the object has not changed since; a time that is not known on either side agrees with any."""
        return self.size == info.size and (None in (info.modified, self.modified) or self.modified == info.modified)


class DocumentReader(Generic[T]):
    """Reads `<ULID>/<name>` and parses it, each version once.

    Memory and local copies count when size and time agree with what the bucket says about the object (its entry in a
    listing, or `head`). A read without such knowledge always asks the bucket. Thread-safe for different ULIDs.
    """

    def __init__(
        self,
        store: ObjectStore,
        name: str,
        parse: Callable[[bytes, str], T],
        copies: LocalCopies | None,
        *,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._name = name
        self._parse = parse
        self._copies = copies
        self._on_change = on_change
        self._entries: dict[str, _Entry[T]] = {}
        self._absent: set[str] = set()  # known to have neither object nor copy

    def in_memory(self, ulid: str, info: ObjectInfo | None) -> bool:
        """Whether `read` would need neither disk nor bucket."""
        entry = self._entries.get(ulid)
        return entry is not None and info is not None and entry.is_of(info)

    def has_copy(self, ulid: str) -> bool:
        """Whether a copy is at hand, if an old one perhaps."""
        return ulid in self._entries or (self._copies is not None and self._copies.exists(ulid, self._name))

    def read(self, ulid: str, info: ObjectInfo | None) -> T:
        """The document. Raises CorruptError (once parsed, from memory), NotFoundError, or what the store raises."""
        entry = self._entries.get(ulid)
        if entry is None or info is None or not entry.is_of(info):
            if entry is not None and info is not None:
                self._on_change()
            self._absent.discard(ulid)
            entry = self._entries[ulid] = self._local(ulid, info) or self._fetch(ulid, info)
        elif entry.modified != info.modified:
            self._entries[ulid] = self._stamped(ulid, entry, info)
        if entry.error is not None:
            raise entry.error.with_traceback(None)
        assert entry.value is not None
        return entry.value

    def last_good(self, ulid: str) -> T | None:
        """The newest version that could be read and parsed."""
        entry = self._entries.get(ulid)
        return None if entry is None else entry.last_good

    def forget(self, ulid: str) -> None:
        """The document is gone from the bucket, or never was there."""
        if ulid in self._absent:
            return
        self._entries.pop(ulid, None)
        if self._copies is not None:
            self._copies.remove(ulid, self._name)
        self._absent.add(ulid)

    def keep_only(self, ulids: Collection[str]) -> None:
        """Forget the documents of all other blocks; their local copies are not touched."""
        kept = set(ulids)
        self._absent &= kept
        for ulid in self._entries.keys() - kept:
            del self._entries[ulid]

    def _stamped(self, ulid: str, entry: _Entry[T], info: ObjectInfo) -> _Entry[T]:
        """The entry with a time that was not known when it was read."""
        if self._copies is not None and info.modified is not None:
            self._copies.stamp(ulid, self._name, info.modified)
        return replace(entry, modified=info.modified)

    def _local(self, ulid: str, info: ObjectInfo | None) -> _Entry[T] | None:
        copy = None if self._copies is None or info is None else self._copies.read(ulid, self._name)
        if self._copies is None or info is None or copy is None:
            return None
        try:
            value = self._parse(copy.data, ulid)
        except CorruptError as error:
            log.warning("dropping an unreadable local copy", object=f"{ulid}/{self._name}", err=str(error))
            self._copies.remove(ulid, self._name)
            return None
        entry = _Entry(len(copy.data), copy.modified, value, None, value)
        if not entry.is_of(info):
            return None
        return entry if copy.modified == info.modified else self._stamped(ulid, entry, info)

    def _fetch(self, ulid: str, info: ObjectInfo | None) -> _Entry[T]:
        try:
            data = self._store.get(f"{ulid}/{self._name}")
        except NotFoundError:
            self.forget(ulid)
            raise
        # The listing's size and time, even if the object is newer: then the next listing differs, and it is read again.
        size, modified = (len(data), None) if info is None else (info.size, info.modified)
        try:
            value = self._parse(data, ulid)
        except CorruptError as error:
            return _Entry(size, modified, None, error, self.last_good(ulid))
        if self._copies is not None:
            self._copies.write(ulid, self._name, data, modified)
        return _Entry(size, modified, value, None, value)
