"""Stores and metrics for tests of the wrappers around object stores."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from storegate.testing.memory_store import MemoryStore

Sample = Callable[..., float | None]


class Filling(MemoryStore):
    """A store that can fill buffers, and counts how often it did."""

    filled = 0

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        self.filled += 1
        data = self.get_range(key, offset, len(buffer))
        buffer[: len(data)] = data
        return len(data)


@pytest.fixture
def filling() -> type[Filling]:
    return Filling


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()
