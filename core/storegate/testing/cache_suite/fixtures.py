"""What the tests of the suite share: the cache, keys of a test's own, the passing of time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry

from storegate.cache.guard import GuardedCache
from storegate.types import Cache

OpenCache = Callable[[], Cache]

LONG = 600.0
PATIENCE = 10.0


class Suite:
    """The base of all tests. Subclasses may change the attributes below."""

    large = 500_000
    """Bytes of a value that the cache must take."""
    shortest_ttl = 1.0
    """Seconds; a shorter lifetime need not be kept exactly."""
    odd_keys = (
        "with space",
        " ",
        "tab\tand\nnewline\r\n",
        "\r\nset injected 0 0 1\r\nx",
        "nul\x00byte",
        "ümläut-日本語",
        "\U0001f680",
        "{braces}:and*[glob]?",
        "%41%2F",
        "x" * 251,
        "é" * 200,
        "long/" * 2000,
    )
    """Keys that need care on the way to a server."""

    @pytest.fixture
    def cache(self, open_cache: OpenCache) -> Iterator[Cache]:
        """A cache of this test."""
        cache = open_cache()
        yield cache
        cache.close()

    @pytest.fixture
    def registry(self) -> CollectorRegistry:
        return CollectorRegistry()

    @pytest.fixture
    def guarded(self, open_cache: OpenCache, registry: CollectorRegistry) -> Iterator[GuardedCache]:
        """A cache as storegate calls it when it is not local."""
        guarded = GuardedCache(open_cache(), name="suite", registry=registry)
        yield guarded
        guarded.close()

    @pytest.fixture
    def prefix(self) -> str:
        """Begins keys that no other test uses."""
        return f"suite-{secrets.token_hex(6)}:"

    def elapse(self, seconds: float) -> None:
        """Let so much time pass for the cache."""
        time.sleep(seconds)

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        """Look again and again, as time passes for the cache; whether the condition came true."""
        until = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > until:
                return False
            self.elapse(0.05)
        return True
