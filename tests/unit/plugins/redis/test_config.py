"""Settings of REDIS."""

from __future__ import annotations

import logging

import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

import storegate_redis
from storegate import ConfigurationError, PluginContext
from storegate.config.validation import check
from storegate_redis import RedisConfig, split_addresses
from storegate_redis.cache import RedisCache, limits_of, open_cache

MINIMAL = {"addr": "redis.example:6379"}


def config(**settings: object) -> RedisConfig:
    return RedisConfig.model_validate({**MINIMAL, **settings})


def opened(**settings: object) -> RedisCache:
    context = PluginContext(name="REDIS", log=logging.getLogger(), registry=CollectorRegistry(), role="index-cache")
    return open_cache(config(**settings), context)


def test_the_defaults_are_those_of_thanos() -> None:
    found = config()
    assert (found.db, found.prefix, found.username, found.master_name) == (0, "", "", "")
    assert found.password.get_secret_value() == ""
    assert (found.dial_timeout, found.read_timeout, found.write_timeout) == (5, 3, 3)
    assert (found.max_get_multi_concurrency, found.get_multi_batch_size) == (100, 100)
    assert (found.max_set_multi_concurrency, found.set_multi_batch_size) == (100, 100)
    assert (found.tls_enabled, found.cache_size) == (False, 0)
    assert (found.max_async_concurrency, found.max_async_buffer_size) == (20, 10_000)


def test_every_key_of_thanos_is_taken() -> None:
    found = config(
        addr="a:1, b:2",
        username="user",
        password="secret",
        db=1,
        dial_timeout="1s",
        read_timeout="2s",
        write_timeout="3s",
        prefix="p",
        max_get_multi_concurrency=4,
        get_multi_batch_size=5,
        max_set_multi_concurrency=6,
        set_multi_batch_size=7,
        tls_enabled=True,
        tls_config={"ca_file": "", "cert_file": "", "key_file": "", "server_name": "x", "insecure_skip_verify": True},
        cache_size="1GiB",
        master_name="m",
        max_async_concurrency=8,
        max_async_buffer_size=9,
        set_async_circuit_breaker_config={"enabled": True},
    )
    limits = limits_of(found)
    assert (limits.timeout, limits.metrics) == (2, "redis")
    assert (limits.get_concurrency, limits.get_batch_size) == (4, 5)
    assert (limits.set_concurrency, limits.set_batch_size, limits.set_queue) == (8, 7, 9)
    assert limits.set_breaker is not None


def test_addresses_are_divided_by_commas() -> None:
    assert split_addresses("a:1, [::1]:2") == [("a", 1), ("::1", 2)]


@pytest.mark.parametrize(
    "settings",
    [
        {"addr": ""},
        {"addr": "redis"},
        {"addr": "a:1,"},
        {"addr": "a:0"},
        {"db": -1},
        {"read_timeout": 0},
        {"tls_config": {"cert_file": "/a.pem"}},
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        config(**settings)


def test_a_misspelt_key_is_named_with_the_likely_one() -> None:
    with pytest.raises(ConfigurationError, match="master: unknown key, did you mean 'master_name'"):
        check(RedisConfig, {**MINIMAL, "master": "x"}, path="index_cache.config")


@pytest.mark.parametrize("settings", [{"db": 1}, {"tls_enabled": True, "tls_config": {"server_name": "x"}}])
def test_what_a_cluster_cannot_have_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=r"index-cache: REDIS: .* cannot be used with a Redis Cluster"):
        opened(addr="a:1,b:2", **settings)


def test_tls_files_that_are_not_there_stop_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"ca_file: cannot read '/nowhere\.pem'"):
        opened(tls_enabled=True, tls_config={"ca_file": "/nowhere.pem"})


def test_opening_connects_to_nothing() -> None:
    opened(addr="redis.invalid:6379").close()


def test_cache_size_is_taken_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger()

    class Log:
        """As structlog takes keys."""

        def warning(self, text: str, **keys: object) -> None:
            log.warning("%s %s", text, keys)

    context = PluginContext(name="REDIS", log=Log(), registry=CollectorRegistry())
    open_cache(config(cache_size="1GiB"), context).close()
    assert "cache_size has no effect" in caplog.text


def test_the_password_is_in_no_text() -> None:
    found = config(password="hunter2")
    assert "hunter2" not in f"{found} {found!r} {found.model_dump()} {found.model_dump_json()}"


def test_hook_storegate_caches_registers_it() -> None:
    (provider,) = storegate_redis.storegate_caches()
    assert (provider.name, provider.factory) == ("REDIS", "storegate_redis.cache:open_cache")
