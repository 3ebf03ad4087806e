"""What is kept of indexes, under which keys, and how it is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
from prometheus_client import CollectorRegistry

from storegate.cache.index_cache import ITEMS, IndexCache, IndexCacheMetrics, matchers_digest

PREFIX = "thanos_store_index_cache"


class RecordingCache:
    """Remembers what it was given to keep."""

    def __init__(self) -> None:
        self.kept: list[tuple[dict[str, bytes], float]] = []

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {}

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        self.kept.append((dict(items), ttl))

    def close(self) -> None:
        pass


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def inner() -> RecordingCache:
    return RecordingCache()


@pytest.fixture
def make(registry: CollectorRegistry, inner: RecordingCache) -> Callable[..., IndexCache]:
    metrics = IndexCacheMetrics(registry)
    return lambda *enabled: IndexCache(inner, enabled, 60.0, metrics)


def test_everything_is_kept_when_nothing_is_named(make: Callable[..., IndexCache]) -> None:
    assert [make().keeps(item) for item in ITEMS] == [True, True, True]


def test_only_what_is_named_is_kept(make: Callable[..., IndexCache]) -> None:
    assert [item for item in ITEMS if make("Series").keeps(item)] == ["Series"]


def test_without_a_cache_nothing_is_kept(registry: CollectorRegistry) -> None:
    cache = IndexCache(None, (), 60.0, IndexCacheMetrics(registry))
    assert not [item for item in ITEMS if cache.keeps(item)]


def test_keeping_without_a_cache_does_nothing(registry: CollectorRegistry) -> None:
    IndexCache(None, (), 60.0, IndexCacheMetrics(registry)).put("Series", "a", {"k": b"v"})
    assert registry.get_sample_value(f"{PREFIX}_stored_data_size_bytes_count") is None


def test_kept_items_live_for_the_set_time(make: Callable[..., IndexCache], inner: RecordingCache) -> None:
    make().put("Postings", "a", {"k": b"v"})
    assert inner.kept == [({"k": b"v"}, 60.0)]


def test_items_of_a_kind_that_is_not_enabled_are_not_kept(
    make: Callable[..., IndexCache], inner: RecordingCache
) -> None:
    make("Series").put("Postings", "a", {"k": b"v"})
    assert inner.kept == []


def test_no_items_make_no_call(make: Callable[..., IndexCache], inner: RecordingCache) -> None:
    make().put("Postings", "a", {})
    assert inner.kept == []


def test_sizes_of_kept_items_are_measured_by_kind_and_tenant(
    make: Callable[..., IndexCache], registry: CollectorRegistry
) -> None:
    make().put("Series", "a", {"k": b"123", "l": b"4567"})
    labels = {"item_type": "Series", "tenant": "a"}
    assert registry.get_sample_value(f"{PREFIX}_stored_data_size_bytes_sum", labels) == 7


def test_requests_and_hits_are_counted_by_kind_and_tenant(
    make: Callable[..., IndexCache], registry: CollectorRegistry
) -> None:
    cache = make()
    cache.count("Postings", "a", 5, 2)
    cache.count("Postings", "a", 1, 0)
    labels = {"item_type": "Postings", "tenant": "a"}
    counts = [registry.get_sample_value(f"{PREFIX}_{name}_total", labels) for name in ("requests", "hits")]
    assert counts == [6, 2]


def test_keys_of_different_kinds_never_meet(make: Callable[..., IndexCache]) -> None:
    cache = make()
    keys = {cache.postings_key("B", "i", 1), cache.expanded_key("B", "i", "1"), *cache.page_keys("B", "i", 1, [1])}
    assert len(keys) == 3


def keys_of(namespace: str, ulid: str, identity: str, registry: CollectorRegistry) -> set[str]:
    cache = IndexCache(None, (), 60.0, IndexCacheMetrics(registry), namespace=namespace)
    pages = cache.page_keys(ulid, identity, 64, [1])
    return {cache.postings_key(ulid, identity, 1), cache.expanded_key(ulid, identity, "d"), *pages}


@pytest.mark.parametrize("other", [("n", "C", "i"), ("m", "B", "i"), ("n", "B", "j")])
def test_keys_of_another_block_bucket_or_index_never_meet(other: tuple[str, str, str]) -> None:
    assert not keys_of("n", "B", "i", CollectorRegistry()) & keys_of(*other, CollectorRegistry())


def test_pages_of_another_size_have_other_keys(make: Callable[..., IndexCache]) -> None:
    assert make().page_keys("B", "i", 64, [1]) != make().page_keys("B", "i", 128, [1])


def test_digests_are_short_however_long_the_matchers() -> None:
    assert len(matchers_digest("x" * 100_000)) == 64


def test_different_matchers_have_different_digests() -> None:
    assert matchers_digest('a="b"') != matchers_digest('a!="b"')


def test_a_digest_takes_text_that_is_not_utf8() -> None:
    assert matchers_digest(b"\xff".decode("utf-8", "surrogateescape")) != matchers_digest("?")
