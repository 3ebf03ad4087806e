"""Caches as a gateway has them: made by their plugin, and guarded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry

from storegate.cache.guard import GuardedCache, guarded
from storegate.config.settings import ComponentRef
from storegate.manager import PluginManager

PLUGINS = PluginManager.load(allow=["storegate"])
ROLE = "index-cache"

OpenGuarded = Callable[..., GuardedCache]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def open_guarded(registry: CollectorRegistry) -> Iterator[OpenGuarded]:
    """Called with the type and the settings of a cache; closed at the end. Deadlines are long if not told otherwise."""
    opened: list[GuardedCache] = []

    def open_cache(type: str, **config: object) -> GuardedCache:
        context = {"registry": registry, "role": ROLE}
        if type == "MEMCACHED":
            config.setdefault("timeout", "5s")
        cache = guarded(
            PLUGINS.create("cache", ComponentRef(type=type, config=config), context), name=ROLE, registry=registry
        )
        assert isinstance(cache, GuardedCache)
        opened.append(cache)
        return cache

    yield open_cache
    for cache in opened:
        cache.close()


@pytest.fixture
def count(registry: CollectorRegistry) -> Callable[..., float]:
    """The value of a metric of the cache, by name and labels."""

    def value(name: str, **labels: str) -> float:
        found = registry.get_sample_value(name, {"name": ROLE, **labels})
        assert found is not None, name
        return found

    return value
