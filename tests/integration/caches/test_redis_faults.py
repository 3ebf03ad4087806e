"""Real Redis servers that die, hang, refuse, fail over, and come back: misses, never errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import redis
import trustme
from servers.process import ServerProcess, free_port, wait_for
from servers.redis import StartRedis
from structlog.testing import capture_logs

from storegate.cache.guard import GuardedCache

Open = Callable[..., GuardedCache]
Count = Callable[..., float]

LONG = 600.0
PATIENCE = 30.0
ITEMS = {f"key-{i}": Random(i).randbytes(2000) for i in range(50)}
DEADLINE = 0.2  # s
SLACK = 1.0  # s; the machine is shared


def fill(cache: GuardedCache) -> None:
    cache.set_many(ITEMS, LONG)
    assert cache.flush(PATIENCE)


def until_filled(cache: GuardedCache) -> None:
    """As queries do: what is missing is stored again, until it is all there."""

    def found() -> bool:
        values = cache.get_many(list(ITEMS))
        cache.set_many({key: value for key, value in ITEMS.items() if key not in values}, LONG)
        return values == ITEMS

    wait_for(found, PATIENCE, "the values are not found again")


def seconds_of_a_get(cache: GuardedCache) -> float:
    started = time.perf_counter()
    cache.get_many(list(ITEMS))
    return time.perf_counter() - started


def test_a_server_that_is_not_there_is_a_miss(open_guarded: Open) -> None:
    cache = open_guarded("REDIS", addr=f"127.0.0.1:{free_port()}")
    fill(cache)
    assert cache.get_many(list(ITEMS)) == {}


def test_a_frozen_server_costs_its_deadline_once_and_comes_back(open_guarded: Open, start_redis: StartRedis) -> None:
    server = start_redis()
    cache = open_guarded("REDIS", addr=server.address, read_timeout="200ms", write_timeout="200ms")
    fill(cache)
    server.freeze()
    assert DEADLINE <= seconds_of_a_get(cache) < DEADLINE + SLACK
    assert sum(seconds_of_a_get(cache) for _ in range(20)) < SLACK
    server.thaw()
    until_filled(cache)


def test_killed_and_restarted_under_load_it_gives_right_values_or_none(
    open_guarded: Open, start_redis: StartRedis
) -> None:
    server = start_redis()
    cache = open_guarded("REDIS", addr=server.address, read_timeout="200ms")
    fill(cache)
    stop = threading.Event()
    wrong: list[object] = []
    slowest: list[float] = []

    def load(seed: int) -> None:
        random, longest = Random(seed), 0.0
        while not stop.wait(0.001):
            keys = random.sample(list(ITEMS), 10)
            started = time.perf_counter()
            try:
                found = cache.get_many(keys)
            except BaseException as error:
                wrong.append(error)
                return
            longest = max(longest, time.perf_counter() - started)
            wrong.extend(key for key, value in found.items() if ITEMS[key] != value)
            cache.set_many({key: ITEMS[key] for key in keys if key not in found}, LONG)
        slowest.append(longest)

    threads = [threading.Thread(target=load, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        server.kill()
        wait_for(lambda: cache.get_many(list(ITEMS)) == {}, PATIENCE, "a dead server answers")
        server.start()
        until_filled(cache)
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert wrong == []
    assert len(slowest) == 4
    assert max(slowest) < DEADLINE + SLACK


def test_connections_that_a_restart_cut_are_no_failure(
    open_guarded: Open, start_redis: StartRedis, count: Count
) -> None:
    server = start_redis()
    cache = open_guarded("REDIS", addr=server.address, get_multi_batch_size=5, set_multi_batch_size=5)
    fill(cache)
    assert cache.get_many(list(ITEMS)) == ITEMS
    server.kill()
    server.start()
    assert cache.get_many(list(ITEMS)) == {}
    fill(cache)
    assert cache.get_many(list(ITEMS)) == ITEMS
    for operation in ("getmulti", "set"):
        failed = count("thanos_redis_operation_failures_total", operation=operation, reason="network-error")
        assert failed == 0


def test_a_server_without_memory_is_still_read(open_guarded: Open, start_redis: StartRedis, count: Count) -> None:
    server = start_redis()
    cache = open_guarded("REDIS", addr=server.address)
    fill(cache)
    with redis.Redis(port=server.port) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
    with capture_logs() as lines:
        for _ in range(3):
            fill(cache)
    assert cache.get_many(list(ITEMS)) == ITEMS
    assert count("thanos_redis_operation_failures_total", operation="set", reason="server-error") == 3
    assert len(lines) == 1
    assert "command not allowed when used memory" in lines[0]["err"]
    assert "key-" not in lines[0]["err"]


# --- passwords ---


def test_a_password_opens_the_server(open_guarded: Open, start_redis: StartRedis) -> None:
    server = start_redis("--requirepass", "right horse")
    cache = open_guarded("REDIS", addr=server.address, password="right horse")
    fill(cache)
    assert cache.get_many(list(ITEMS)) == ITEMS


def test_a_user_opens_the_server(open_guarded: Open, start_redis: StartRedis) -> None:
    server = start_redis("--user", "gateway", "on", ">right", "~*", "+@all", "--user", "default", "off")
    cache = open_guarded("REDIS", addr=server.address, username="gateway", password="right")
    fill(cache)
    assert cache.get_many(list(ITEMS)) == ITEMS


@pytest.mark.parametrize("settings", [{"password": "wrong horse"}, {}, {"username": "x", "password": "wrong horse"}])
def test_a_wrong_password_is_a_miss_that_says_what_to_check(
    open_guarded: Open, start_redis: StartRedis, settings: dict[str, str], count: Count
) -> None:
    server = start_redis("--requirepass", "right horse")
    with capture_logs() as lines:
        cache = open_guarded("REDIS", addr=server.address, **settings)
        assert cache.get_many(list(ITEMS)) == {}
    assert count("thanos_redis_operation_failures_total", operation="getmulti", reason="server-error") == 1
    assert "check username and password" in lines[0]["err"]
    assert "horse" not in str(lines)


# --- TLS ---


@pytest.fixture
def tls_server(start_redis: StartRedis, tmp_path: Path) -> ServerProcess:
    """Asks clients for a certificate."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other-ca.pem")
    for name in ("redis.example", "client.example"):
        certificate = ca.issue_cert(name)
        certificate.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        certificate.private_key_pem.write_to_path(tmp_path / f"{name}.key")
    files = {"ca-cert": "ca.pem", "cert": "redis.example.pem", "key": "redis.example.key"}
    options = [option for key, file in files.items() for option in (f"--tls-{key}-file", str(tmp_path / file))]
    return start_redis("--tls-port", str(free_port()), *options)


def tls_settings(folder: Path, **changes: object) -> dict[str, object]:
    files = {"ca_file": "ca.pem", "cert_file": "client.example.pem", "key_file": "client.example.key"}
    tls = {key: str(folder / name) for key, name in files.items()} | {"server_name": "redis.example"} | changes
    return {"tls_enabled": True, "tls_config": {key: value for key, value in tls.items() if value is not None}}


@pytest.mark.parametrize("changes", [{}, {"min_version": "1.3"}, {"insecure_skip_verify": True, "ca_file": None}])
def test_tls_with_a_client_certificate(
    open_guarded: Open, tls_server: ServerProcess, tmp_path: Path, changes: dict[str, object]
) -> None:
    cache = open_guarded("REDIS", addr=tls_server.address, **tls_settings(tmp_path, **changes))
    fill(cache)
    assert cache.get_many(list(ITEMS)) == ITEMS


@pytest.mark.parametrize("changes", [{"ca_file": "other-ca.pem"}, {"server_name": ""}, {"ca_file": None}])
def test_a_certificate_that_cannot_be_trusted_is_a_miss(
    open_guarded: Open, tls_server: ServerProcess, tmp_path: Path, changes: dict[str, object]
) -> None:
    if changes.get("ca_file"):
        changes = {"ca_file": str(tmp_path / str(changes["ca_file"]))}
    cache = open_guarded("REDIS", addr=tls_server.address, **tls_settings(tmp_path, **changes))
    with capture_logs() as lines:
        assert cache.get_many(list(ITEMS)) == {}
    assert "certificate verify failed" in lines[0]["err"].lower()


def test_a_missing_client_certificate_is_a_miss(open_guarded: Open, tls_server: ServerProcess, tmp_path: Path) -> None:
    settings = tls_settings(tmp_path, cert_file=None, key_file=None)
    assert open_guarded("REDIS", addr=tls_server.address, **settings).get_many(list(ITEMS)) == {}


# --- several servers ---


def test_one_address_of_a_cluster_is_enough(open_guarded: Open, redis_cluster: ServerProcess) -> None:
    cache = open_guarded("REDIS", addr=redis_cluster.address)
    cache.get_many(list(ITEMS))
    until_filled(cache)


def test_addresses_that_form_no_cluster_are_a_miss(
    open_guarded: Open, redis_server: ServerProcess, start_redis: StartRedis
) -> None:
    with capture_logs() as lines:
        cache = open_guarded("REDIS", addr=f"{redis_server.address},{start_redis().address}")
        assert cache.get_many(list(ITEMS)) == {}
    assert "cluster" in lines[0]["err"].lower()


def test_a_master_that_dies_is_followed_by_its_replica(open_guarded: Open, start_redis: StartRedis) -> None:
    master = start_redis()
    replica = start_redis("--replicaof", "127.0.0.1", str(master.port))
    with redis.Redis(port=master.port) as client:
        wait_for(lambda: len(client.role()[2]) == 1, PATIENCE, "the replica does not find its master")
    sentinel = start_redis(sentinel_of=master)
    with redis.Redis(port=sentinel.port) as client:
        wait_for(lambda: len(client.sentinel_slaves("cache")) == 1, PATIENCE, "the sentinel sees no replica")
    cache = open_guarded("REDIS", addr=sentinel.address, master_name="cache")
    until_filled(cache)
    master.kill()
    with redis.Redis(port=replica.port) as client:
        wait_for(lambda: client.role()[0] == b"master", PATIENCE, "the replica does not become the master")
    cache.set_many({"new": b"1"}, LONG)

    def stored() -> bool:
        cache.set_many({"new": b"1"}, LONG)
        cache.flush(PATIENCE)
        return cache.get_many(["new"]) == {"new": b"1"}

    wait_for(stored, PATIENCE, "the new master is not used")


def test_a_master_that_no_sentinel_knows_is_a_miss(open_guarded: Open, sentinel: ServerProcess) -> None:
    with capture_logs() as lines:
        cache = open_guarded("REDIS", addr=sentinel.address, master_name="unknown")
        assert cache.get_many(list(ITEMS)) == {}
    assert "unknown" in lines[0]["err"]
