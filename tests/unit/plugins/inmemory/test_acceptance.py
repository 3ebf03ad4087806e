"""IN-MEMORY passes what every cache must."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storegate.testing.cache_suite import CacheSuite
from storegate_inmemory.cache import InMemoryCache


class Clock:
    """A clock that tests move."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


class TestInMemory(CacheSuite):
    @pytest.fixture
    def open_cache(self) -> Callable[[], InMemoryCache]:
        cache = InMemoryCache(1 << 24, 1 << 23, clock=CLOCK)
        return lambda: cache

    def elapse(self, seconds: float) -> None:
        CLOCK.now += seconds
