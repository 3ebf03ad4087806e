"""MEMCACHED passes what every cache must, on one server and on two."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry
from servers.process import ServerProcess

from storegate import PluginContext
from storegate.testing.cache_suite import CacheSuite
from storegate_memcached import MemcachedConfig
from storegate_memcached.cache import MemcachedCache, open_cache


def cache_at(*addresses: str, **settings: object) -> MemcachedCache:
    config = MemcachedConfig.model_validate({"addresses": addresses, "timeout": "5s", **settings})
    return open_cache(config, PluginContext(name="MEMCACHED", log=logging.getLogger(), registry=CollectorRegistry()))


class TestMemcached(CacheSuite):
    @pytest.fixture
    def open_cache(self, memcached: ServerProcess) -> Callable[[], MemcachedCache]:
        return lambda: cache_at(memcached.address)


class TestTwoServers(CacheSuite):
    @pytest.fixture
    def open_cache(self, memcached: ServerProcess, second_memcached: ServerProcess) -> Callable[[], MemcachedCache]:
        return lambda: cache_at(memcached.address, second_memcached.address, max_get_multi_batch_size=7)
