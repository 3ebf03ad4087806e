"""Stores that break one promise each, under the acceptance suite. Run by `test_object_store_suite.py`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from urllib.parse import unquote_plus

import pytest

from storegate import NotFoundError, ObjectInfo
from storegate.testing.memory_store import MemoryStore
from storegate.testing.object_store_suite import ObjectStoreSuite


class Unordered(MemoryStore):
    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        return reversed(list(super().list(prefix, recursive=recursive)))


class OnePage(MemoryStore):
    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        return islice(super().list(prefix, recursive=recursive), 1000)


class Careless(MemoryStore):
    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        return super().list(prefix.rstrip("/"), recursive=recursive)


class Strict(MemoryStore):
    def get_range(self, key: str, offset: int, length: int) -> bytes:
        if offset >= len(self.get(key)):
            raise NotFoundError(f"{key!r}: range not satisfiable")
        return super().get_range(key, offset, length)


class Inclusive(MemoryStore):
    def get_range(self, key: str, offset: int, length: int) -> bytes:
        return super().get_range(key, offset, length + 1)


class Silent(MemoryStore):
    def delete(self, key: str) -> None:
        try:
            super().delete(key)
        except NotFoundError:
            pass


class Quoting(MemoryStore):
    def put(self, key: str, data: bytes) -> None:
        super().put(unquote_plus(key), data)


class Nameless(MemoryStore):
    def _find(self, key: str) -> tuple[bytes, int]:
        try:
            return super()._find(key)
        except NotFoundError:
            raise NotFoundError("no such object") from None


@pytest.fixture(scope="class")
def store(request: pytest.FixtureRequest) -> MemoryStore:
    broken: MemoryStore = request.cls.broken()
    return broken


class TestUnordered(ObjectStoreSuite):
    broken = Unordered


class TestOnePage(ObjectStoreSuite):
    broken = OnePage


class TestCareless(ObjectStoreSuite):
    broken = Careless


class TestStrict(ObjectStoreSuite):
    broken = Strict


class TestInclusive(ObjectStoreSuite):
    broken = Inclusive


class TestSilent(ObjectStoreSuite):
    broken = Silent


class TestQuoting(ObjectStoreSuite):
    broken = Quoting


class TestNameless(ObjectStoreSuite):
    broken = Nameless
