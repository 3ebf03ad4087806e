"""The acceptance suite of object stores over the store in memory."""

from __future__ import annotations

import pytest

from storegate.testing.memory_store import MemoryStore
from storegate.testing.object_store_suite import ObjectStoreReadSuite, ObjectStoreSuite


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    return MemoryStore()


class TestMemoryStore(ObjectStoreSuite):
    pass


class TestMemoryStoreThatOthersFill(ObjectStoreReadSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def writer(cls, store: MemoryStore) -> MemoryStore:
        return store
