"""Settings of MEMCACHED."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

import storegate_memcached
from storegate import BreakerLimits, ConfigurationError
from storegate.config.validation import check
from storegate_memcached import MemcachedConfig
from storegate_memcached.cache import limits_of

MINIMAL = {"addresses": ["memcached.example:11211"]}


def config(**settings: object) -> MemcachedConfig:
    return MemcachedConfig.model_validate({**MINIMAL, **settings})


def test_the_defaults_are_those_of_thanos() -> None:
    found = config()
    assert found.timeout == 0.5
    assert found.max_idle_connections == 100
    assert (found.max_async_concurrency, found.max_async_buffer_size) == (20, 10_000)
    assert (found.max_get_multi_concurrency, found.max_get_multi_batch_size) == (100, 0)
    assert found.max_item_size == 1024 * 1024
    assert found.dns_provider_update_interval == 10
    assert not found.auto_discovery
    breaker = found.set_async_circuit_breaker_config
    assert (breaker.enabled, breaker.half_open_max_requests, breaker.open_duration) == (False, 10, 5)
    assert (breaker.min_requests, breaker.consecutive_failures, breaker.failure_percent) == (50, 5, 0.05)


def test_every_key_of_thanos_is_taken() -> None:
    found = config(
        addresses=["dns+a:1", "dnsdualstack+a:1", "dnssrv+_m._tcp.a", "dnssrvnoa+_m._tcp.a", "[::1]:11211"],
        timeout="1s",
        max_idle_connections=5,
        max_async_concurrency=6,
        max_async_buffer_size=7,
        max_get_multi_concurrency=8,
        max_get_multi_batch_size=9,
        max_item_size="2MiB",
        dns_provider_update_interval="30s",
        auto_discovery=True,
        set_async_circuit_breaker_config={
            "enabled": True,
            "half_open_max_requests": 1,
            "open_duration": "2s",
            "min_requests": 3,
            "consecutive_failures": 4,
            "failure_percent": 0.5,
        },
    )
    limits = limits_of(found)
    assert (limits.timeout, limits.max_item_size, limits.metrics) == (1, 2 << 20, "memcached")
    assert (limits.get_concurrency, limits.get_batch_size) == (8, 9)
    assert (limits.set_concurrency, limits.set_queue) == (6, 7)
    assert limits.set_breaker == BreakerLimits(
        half_open_max_requests=1, open_duration=2, min_requests=3, consecutive_failures=4, failure_percent=0.5
    )


def test_writes_have_no_breaker_unless_it_is_enabled() -> None:
    assert limits_of(config(set_async_circuit_breaker_config=None)).set_breaker is None


def test_one_address_needs_no_list() -> None:
    assert config(addresses="localhost:11211").addresses == ("localhost:11211",)


@pytest.mark.parametrize(
    "settings",
    [
        {"addresses": []},
        {"addresses": ["memcached"]},
        {"addresses": ["memcached:"]},
        {"addresses": ["memcached:70000"]},
        {"addresses": ["dns+memcached"]},
        {"addresses": ["srv+memcached:1"]},
        {"addresses": [":11211"]},
        {"timeout": 0},
        {"dns_provider_update_interval": 0},
        {"max_async_concurrency": 0},
        {"hashing": "modulo"},
        {"tls_config": {"cert_file": "/a.pem"}},
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        config(**settings)


def test_a_misspelt_key_is_named_with_the_likely_one() -> None:
    with pytest.raises(ConfigurationError, match="max_item_sice: unknown key, did you mean 'max_item_size'"):
        check(MemcachedConfig, {**MINIMAL, "max_item_sice": 1}, path="index_cache.config")


def test_hook_storegate_caches_registers_it() -> None:
    (provider,) = storegate_memcached.storegate_caches()
    assert (provider.name, provider.factory) == ("MEMCACHED", "storegate_memcached.cache:open_cache")
