"""A caching bucket over a bucket in memory whose requests are counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from storegate.cache.bucket import CachingBucket
from storegate.cache.bucket_metrics import CachingBucketMetrics
from storegate.config.settings import CachingBucketRef
from storegate.testing.cache_faults import FaultyCache
from storegate.testing.faults import CountingStore
from storegate.testing.memory_store import MemoryStore

BLOCK = "01M3250V000000000000000001"
CHUNKS = f"{BLOCK}/chunks/000001"
META = f"{BLOCK}/meta.json"
MARK = f"{BLOCK}/deletion-mark.json"
CONTENT = bytes(i * 7 % 251 for i in range(105))


class Clock:
    """Seconds that a test lets pass."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Cached:
    """`bucket` is what is tested; `store` counts what it asks of `inner`; `cache` holds what it keeps."""

    bucket: CachingBucket
    store: CountingStore
    inner: MemoryStore
    cache: FaultyCache
    registry: CollectorRegistry
    clock: Clock

    def asked(self) -> list[str]:
        """Operations that reached the store, since the last time."""
        requests = [request.operation for request in self.store.requests()]
        self.store.reset()
        return requests

    def ranges(self) -> list[tuple[int, int]]:
        """(offset, end) of ranges that reached the store, since the last time."""
        requests = [(r.offset, r.offset + r.length) for r in self.store.requests("get_range")]
        self.store.reset()
        return requests

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"thanos_store_bucket_cache_{name}_total", labels)

    def again(self, **settings: Any) -> Cached:
        """Another process over the same bucket and cache."""
        return cached(self.inner, self.cache, **settings)


def cached(inner: MemoryStore, cache: Any = None, *, store: Any = None, **settings: Any) -> Cached:
    registry, clock = CollectorRegistry(), Clock()
    cache = FaultyCache() if cache is None else cache
    counting = CountingStore(inner if store is None else store)
    ref = CachingBucketRef(type="X", **{"chunk_subrange_size": 10, **settings})
    bucket = CachingBucket(counting, cache, ref, CachingBucketMetrics(registry), namespace="n", clock=clock)
    return Cached(bucket, counting, inner, cache, registry, clock)


@pytest.fixture
def make() -> Callable[..., Cached]:
    """`make({key: content}, **settings)`; subranges have 10 bytes."""

    def build(objects: Mapping[str, bytes] | None = None, **settings: Any) -> Cached:
        given = {CHUNKS: CONTENT, META: b'{"version": 1}'} if objects is None else objects
        return cached(MemoryStore(given), **settings)

    return build
