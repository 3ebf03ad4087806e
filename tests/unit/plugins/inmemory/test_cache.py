"""The IN-MEMORY cache."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

import storegate
import storegate_inmemory
from storegate_inmemory.cache import ITEM_OVERHEAD, InMemoryCache, open_cache
from storegate_inmemory.metrics import collector_of

MIB = 1024 * 1024
LONG = 3600.0


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(registry: CollectorRegistry, clock: Clock) -> Callable[..., InMemoryCache]:
    def _make(max_size: int = 10_000, max_item_size: int = 10_000) -> InMemoryCache:
        cache = InMemoryCache(max_size, max_item_size, clock=clock)
        collector_of(registry).watch("test", cache.accounts)
        return cache

    return _make


def cost(key: str, value: bytes) -> int:
    return len(key) + len(value) + ITEM_OVERHEAD


def metric(registry: CollectorRegistry, name: str) -> float:
    value = registry.get_sample_value(f"thanos_cache_inmemory_{name}", {"name": "test"})
    assert value is not None, name
    return value


def test_stored_values_come_back_and_absent_keys_are_left_out(make: Callable[..., InMemoryCache]) -> None:
    cache = make()
    cache.set_many({"a": b"1", "b": b"2"}, LONG)
    assert cache.get_many(["a", "c", "b"]) == {"a": b"1", "b": b"2"}


def test_storing_a_key_again_replaces_its_value(
    make: Callable[..., InMemoryCache], registry: CollectorRegistry
) -> None:
    cache = make()
    cache.set_many({"a": b"old"}, LONG)
    cache.set_many({"a": b"newer"}, LONG)
    assert cache.get_many(["a"]) == {"a": b"newer"}
    assert metric(registry, "items") == 1
    assert metric(registry, "items_size_bytes") == 5


def test_the_least_recently_used_item_makes_room(make: Callable[..., InMemoryCache]) -> None:
    cache = make(max_size=2 * cost("a", b"1"))
    cache.set_many({"a": b"1", "b": b"2"}, LONG)
    cache.get_many(["a"])
    cache.set_many({"c": b"3"}, LONG)
    assert cache.get_many(["a", "b", "c"]) == {"a": b"1", "c": b"3"}


def test_a_value_above_the_item_limit_is_not_stored(
    make: Callable[..., InMemoryCache], registry: CollectorRegistry
) -> None:
    cache = make(max_item_size=3)
    cache.set_many({"a": b"1234", "b": b"123"}, LONG)
    assert cache.get_many(["a", "b"]) == {"b": b"123"}
    assert metric(registry, "items_overflowed_total") == 1


def test_a_value_that_is_too_large_removes_nothing(make: Callable[..., InMemoryCache]) -> None:
    cache = make(max_size=500)
    cache.set_many({"a": b"1"}, LONG)
    cache.set_many({"b": b"x" * 500}, LONG)
    assert cache.get_many(["a"]) == {"a": b"1"}


def test_items_expire(make: Callable[..., InMemoryCache], clock: Clock, registry: CollectorRegistry) -> None:
    cache = make()
    cache.set_many({"short": b"1"}, 10.0)
    cache.set_many({"long": b"2"}, 11.0)
    clock.now += 10.0
    assert cache.get_many(["short", "long"]) == {"long": b"2"}
    assert metric(registry, "hits_on_expired_data_total") == 1
    assert metric(registry, "items") == 1


@pytest.mark.parametrize("ttl", [0.0, -1.0])
def test_items_without_time_to_live_are_not_stored(make: Callable[..., InMemoryCache], ttl: float) -> None:
    cache = make()
    cache.set_many({"a": b"1"}, ttl)
    assert cache.get_many(["a"]) == {}


def test_a_buffer_is_copied_when_it_is_stored(make: Callable[..., InMemoryCache]) -> None:
    cache = make()
    buffer = bytearray(b"before")
    cache.set_many({"a": buffer}, LONG)  # type: ignore[dict-item]
    buffer[:] = b"after!"
    assert cache.get_many(["a"]) == {"a": b"before"}


def test_a_closed_cache_is_empty(make: Callable[..., InMemoryCache]) -> None:
    cache = make()
    cache.set_many({"a": b"1"}, LONG)
    cache.close()
    assert cache.get_many(["a"]) == {}


def test_the_metrics_tell_what_happened(make: Callable[..., InMemoryCache], registry: CollectorRegistry) -> None:
    cache = make(max_size=2 * cost("a", b"1"), max_item_size=100)
    cache.set_many({"a": b"1", "b": b"2", "c": b"3"}, LONG)
    cache.get_many(["b", "c", "x"])
    expected = {
        "requests_total": 3,
        "hits_total": 2,
        "hits_on_expired_data_total": 0,
        "items_added_total": 3,
        "items_evicted_total": 1,
        "items_overflowed_total": 0,
        "items": 2,
        "items_size_bytes": 2,
        "total_size_bytes": 2 * cost("a", b"1"),
        "max_size_bytes": 2 * cost("a", b"1"),
        "max_item_size_bytes": 100,
    }
    assert {name: metric(registry, name) for name in expected} == expected


def test_two_caches_share_a_registry_under_different_names(registry: CollectorRegistry) -> None:
    for role in ("index-cache", "caching-bucket"):
        context = storegate.PluginContext(name="IN-MEMORY", log=logging.getLogger(), registry=registry, role=role)
        open_cache(storegate_inmemory.InMemoryConfig(), context).get_many(["a"])
        assert registry.get_sample_value("thanos_cache_inmemory_requests_total", {"name": role}) == 1


def test_the_item_limit_is_lowered_to_the_size_of_the_cache(registry: CollectorRegistry) -> None:
    config = storegate_inmemory.InMemoryConfig.model_validate({"max_size": "10MB"})
    context = storegate.PluginContext(name="IN-MEMORY", log=logging.getLogger(), registry=registry, role="test")
    open_cache(config, context)
    assert metric(registry, "max_item_size_bytes") == 10 * MIB


def test_an_item_limit_above_the_size_of_the_cache_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"max_item_size .* is more than max_size"):
        storegate_inmemory.InMemoryConfig.model_validate({"max_size": "10MB", "max_item_size": "11MB"})


def test_the_index_cache_is_counted_by_item_type(registry: CollectorRegistry) -> None:
    config = storegate_inmemory.InMemoryConfig.model_validate({"max_size": 700, "max_item_size": 100})
    context = storegate.PluginContext(name="IN-MEMORY", log=logging.getLogger(), registry=registry, role="index-cache")
    cache = open_cache(config, context)
    cache.set_many({"P:a": b"12345", "EP:a": b"123", "S:a": b"1", "S:b": b"x" * 101, "else": b"1"}, LONG)
    found = {
        (sample.name.removeprefix("thanos_store_index_cache_"), sample.labels.get("item_type")): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name.startswith("thanos_store_index_cache_") and sample.value
    }
    assert found == {
        ("items_added_total", "Postings"): 1,
        ("items_added_total", "ExpandedPostings"): 1,
        ("items_added_total", "Series"): 1,
        ("items_evicted_total", "Postings"): 1,
        ("items_overflowed_total", "Series"): 1,
        ("items", "ExpandedPostings"): 1,
        ("items", "Series"): 1,
        ("items_size_bytes", "ExpandedPostings"): 3 + 16,
        ("items_size_bytes", "Series"): 1 + 16,
        ("total_size_bytes", "ExpandedPostings"): 3 + 16 + 4,
        ("total_size_bytes", "Series"): 1 + 16 + 3,
        ("max_size_bytes", None): 700,
        ("max_item_size_bytes", None): 100,
    }


def test_the_defaults_are_those_of_thanos() -> None:
    config = storegate_inmemory.InMemoryConfig()
    assert (config.max_size, config.max_item_size) == (250 * MIB, 125 * MIB)


@pytest.mark.parametrize("config", [{"max_size": "1M"}, {"max_size": -1}, {"size": "1MB"}])
def test_wrong_settings_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        storegate_inmemory.InMemoryConfig.model_validate(config)


def test_hook_storegate_caches_registers_it() -> None:
    (provider,) = storegate_inmemory.storegate_caches()
    assert (provider.name, provider.factory) == ("IN-MEMORY", "storegate_inmemory.cache:open_cache")


def test_threads_do_not_disturb_the_accounts(make: Callable[..., InMemoryCache], registry: CollectorRegistry) -> None:
    cache = make(max_size=5_000)

    def work(thread: int) -> None:
        for i in range(300):
            cache.set_many({f"{(thread + i) % 40}": b"x" * (i % 50)}, LONG)
            cache.get_many([f"{i % 40}"])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    items = cache.get_many([str(n) for n in range(40)])
    assert metric(registry, "items_size_bytes") == sum(map(len, items.values()))
    assert metric(registry, "total_size_bytes") == sum(cost(key, value) for key, value in items.items())


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 300)), max_size=40),
    st.integers(0, 2000),
)
def test_the_cost_never_exceeds_the_limit_and_the_newest_fitting_item_is_there(
    sets: list[tuple[str, int]], max_size: int
) -> None:
    registry = CollectorRegistry()
    cache = InMemoryCache(max_size, max_size)
    collector_of(registry).watch("test", cache.accounts)
    for key, size in sets:
        value = b"x" * size
        cache.set_many({key: value}, LONG)
        assert metric(registry, "total_size_bytes") <= max_size
        if cost(key, value) <= max_size:
            assert cache.get_many([key]) == {key: value}
