"""Sizes and times of objects as this process last saw them, so that reading needs no question about them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NamedTuple

from storegate.types import ObjectInfo

CHUNK_FILE = re.compile(r".*/chunks/\d+", re.DOTALL)
DOCUMENTS = ("/meta.json", "/deletion-mark.json")


def is_chunk_file(key: str) -> bool:
    """Whether it is a segment of chunks: written once, read in ranges."""
    return CHUNK_FILE.fullmatch(key) is not None


def is_document(key: str) -> bool:
    """Whether it is one of the small files that say something about a block."""
    return key.endswith(DOCUMENTS)


class Known(NamedTuple):
    """`sure` says that the bucket itself said so, to this process. `modified` is in ms."""

    size: int
    modified: int | None
    sure: bool
    until: float

    @property
    def version(self) -> str:
        """Tells this version of an object from others."""
        return f"{self.size}-{self.modified}"


class KnownObjects:
    """What is known of chunk files and of documents, each for so many seconds. Thread-safe."""

    def __init__(self, chunk_files: float, documents: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._chunk_files = chunk_files
        self._documents = documents
        self._clock = clock
        self._known: dict[str, Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> Known | None:
        """What is known of the object."""
        known = self._known.get(key)
        return None if known is None or known.until <= self._clock() else known

    def learn(self, info: ObjectInfo, *, sure: bool = True) -> None:
        """Remember an entry of a listing or the answer to `head`, if it is an object that is cached."""
        ttl = self._documents if is_document(info.key) else self._chunk_files if is_chunk_file(info.key) else None
        if info.size is not None and ttl is not None:
            self._known[info.key] = Known(info.size, info.modified, sure, self._clock() + ttl)

    def forget(self, key: str) -> None:
        """The object has changed, or is not as it was thought to be."""
        self._known.pop(key, None)

    def replace(self, others: KnownObjects) -> None:
        """Know what `others` knows, and nothing else: a listing of the whole bucket was read to its end."""
        self._known = others._known

    def empty(self) -> KnownObjects:
        """One that lives as long and knows nothing."""
        return KnownObjects(self._chunk_files, self._documents, self._clock)
