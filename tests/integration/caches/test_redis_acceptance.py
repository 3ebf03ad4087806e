"""REDIS passes what every cache must: on one server, under Sentinel, and as a cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry
from servers.process import ServerProcess

from storegate import PluginContext
from storegate.testing.cache_suite import CacheSuite
from storegate_redis import RedisConfig
from storegate_redis.cache import RedisCache, open_cache

OpenCache = Callable[[], RedisCache]


def cache_at(addr: str, **settings: object) -> RedisCache:
    config = RedisConfig.model_validate({"addr": addr, **settings})
    return open_cache(config, PluginContext(name="REDIS", log=logging.getLogger(), registry=CollectorRegistry()))


class TestRedis(CacheSuite):
    shortest_ttl = 0.05

    @pytest.fixture
    def open_cache(self, redis_server: ServerProcess) -> OpenCache:
        return lambda: cache_at(redis_server.address)


class TestPrefixAndSmallBatches(CacheSuite):
    shortest_ttl = 0.05

    @pytest.fixture
    def open_cache(self, redis_server: ServerProcess) -> OpenCache:
        settings = {"prefix": "tenant one:", "get_multi_batch_size": 7, "set_multi_batch_size": 3, "db": 2}
        return lambda: cache_at(redis_server.address, **settings)


class TestSentinel(CacheSuite):
    shortest_ttl = 0.05

    @pytest.fixture
    def open_cache(self, redis_server: ServerProcess, sentinel: ServerProcess) -> OpenCache:
        return lambda: cache_at(sentinel.address, master_name="cache")


class TestCluster(CacheSuite):
    shortest_ttl = 0.05

    @pytest.fixture
    def open_cache(self, redis_cluster: ServerProcess) -> OpenCache:
        return lambda: cache_at(f"{redis_cluster.address},{redis_cluster.address}")
