"""Real memcached servers that die, hang, forget, and come back: misses, never errors, never more than the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import trustme
from pymemcache.client.base import Client
from servers.memcached import StartMemcached
from servers.process import ServerProcess, free_port, wait_for
from structlog.testing import capture_logs

from storegate.cache.guard import GuardedCache

Open = Callable[..., GuardedCache]
Count = Callable[..., float]

LONG = 600.0
PATIENCE = 20.0
ITEMS = {f"key-{i}": Random(i).randbytes(2000) for i in range(50)}
DEADLINE = 0.2  # s
SLACK = 1.0  # s; the machine is shared


def fill(cache: GuardedCache, items: dict[str, bytes] = ITEMS) -> None:
    cache.set_many(items, LONG)
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
    cache = open_guarded("MEMCACHED", addresses=[f"127.0.0.1:{free_port()}"])
    fill(cache)
    assert cache.get_many(list(ITEMS)) == {}


def test_a_frozen_server_costs_its_deadline_once_and_comes_back(
    open_guarded: Open, start_memcached: StartMemcached
) -> None:
    server = start_memcached()
    cache = open_guarded("MEMCACHED", addresses=[server.address], timeout="200ms")
    fill(cache)
    server.freeze()
    assert DEADLINE <= seconds_of_a_get(cache) < DEADLINE + SLACK
    assert sum(seconds_of_a_get(cache) for _ in range(20)) < SLACK
    server.thaw()
    until_filled(cache)


def test_a_frozen_server_of_two_costs_its_own_keys(open_guarded: Open, start_memcached: StartMemcached) -> None:
    frozen, healthy = start_memcached(), start_memcached()
    cache = open_guarded("MEMCACHED", addresses=[frozen.address, healthy.address], timeout="200ms")
    fill(cache)
    frozen.freeze()
    assert DEADLINE <= seconds_of_a_get(cache) < DEADLINE + SLACK
    found = cache.get_many(list(ITEMS))
    assert 0 < len(found) < len(ITEMS)
    assert found == {key: ITEMS[key] for key in found}


def test_a_dead_server_of_two_leaves_the_other_one_in_use(
    open_guarded: Open, start_memcached: StartMemcached, count: Count
) -> None:
    dead, alive = start_memcached(), start_memcached()
    cache = open_guarded("MEMCACHED", addresses=[dead.address, alive.address])
    fill(cache)
    dead.kill()
    found = cache.get_many(list(ITEMS))
    assert 0 < len(found) < len(ITEMS)
    assert cache.get_many(list(found)) == {key: ITEMS[key] for key in found}
    assert count("storegate_cache_servers_stepped_over") == 1


def test_killed_and_restarted_under_load_it_gives_right_values_or_none(
    open_guarded: Open, start_memcached: StartMemcached
) -> None:
    server = start_memcached()
    cache = open_guarded("MEMCACHED", addresses=[server.address], timeout="200ms")
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
    open_guarded: Open, start_memcached: StartMemcached, count: Count
) -> None:
    server = start_memcached()
    cache = open_guarded("MEMCACHED", addresses=[server.address], max_get_multi_batch_size=5)
    fill(cache)
    assert cache.get_many(list(ITEMS)) == ITEMS
    server.kill()
    server.start()
    assert cache.get_many(list(ITEMS)) == {}
    fill(cache)
    assert cache.get_many(list(ITEMS)) == ITEMS
    for operation in ("getmulti", "set"):
        failed = count("thanos_memcached_operation_failures_total", operation=operation, reason="network-error")
        assert failed == 0


def test_a_flushed_server_fills_again(open_guarded: Open, start_memcached: StartMemcached) -> None:
    server = start_memcached()
    cache = open_guarded("MEMCACHED", addresses=[server.address])
    fill(cache)
    client = Client(("127.0.0.1", server.port))
    client.flush_all(noreply=False)
    client.close()
    assert cache.get_many(list(ITEMS)) == {}
    time.sleep(1.1)  # memcached forgets by whole seconds: what is stored within this one is forgotten, too
    fill(cache)
    assert cache.get_many(list(ITEMS)) == ITEMS


def test_a_value_that_the_server_refuses_harms_no_other(
    open_guarded: Open, memcached: ServerProcess, count: Count
) -> None:
    cache = open_guarded("MEMCACHED", addresses=[memcached.address], max_item_size=0)
    with capture_logs() as lines:
        for _ in range(3):
            fill(cache, {"too large": Random(1).randbytes(2 << 20), "small": b"1"})
    assert cache.get_many(["too large", "small"]) == {"small": b"1"}
    assert count("thanos_memcached_operation_failures_total", operation="set", reason="server-error") == 3
    assert [line["err"] for line in lines] == [f"memcached {memcached.address}: failed: object too large for cache"]


def test_settings_are_shown_as_a_metric(open_guarded: Open, memcached: ServerProcess, count: Count) -> None:
    open_guarded("MEMCACHED", addresses=[memcached.address])
    labels = {
        "timeout": "5.0",
        "max_idle_connections": "100",
        "max_async_concurrency": "20",
        "max_async_buffer_size": "10000",
        "max_item_size": "1048576",
        "max_get_multi_concurrency": "100",
        "max_get_multi_batch_size": "0",
        "dns_provider_update_interval": "10.0",
    }
    assert count("thanos_memcached_client_info", **labels) == 1


@pytest.fixture
def tls_server(start_memcached: StartMemcached, tmp_path: Path) -> ServerProcess:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other-ca.pem")
    certificate = ca.issue_cert("memcached.example")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "server.key")
    options = f"ssl_chain_cert={tmp_path / 'server.pem'},ssl_key={tmp_path / 'server.key'}"
    return start_memcached("-Z", "-o", options)


def test_tls_checks_the_certificate_and_works(open_guarded: Open, tls_server: ServerProcess, tmp_path: Path) -> None:
    tls = {"ca_file": str(tmp_path / "ca.pem"), "server_name": "memcached.example"}
    cache = open_guarded("MEMCACHED", addresses=[tls_server.address], tls_enabled=True, tls_config=tls)
    fill(cache)
    assert cache.get_many(list(ITEMS)) == ITEMS


@pytest.mark.parametrize(
    "tls",
    [{"ca_file": "other-ca.pem", "server_name": "memcached.example"}, {"ca_file": "ca.pem"}, {}],
    ids=["another CA", "another name", "unknown CA"],
)
def test_a_certificate_that_cannot_be_trusted_is_a_miss(
    open_guarded: Open, tls_server: ServerProcess, tmp_path: Path, tls: dict[str, str], count: Count
) -> None:
    files = {key: str(tmp_path / name) if key == "ca_file" else name for key, name in tls.items()}
    cache = open_guarded("MEMCACHED", addresses=[tls_server.address], tls_enabled=True, tls_config=files)
    with capture_logs() as lines:
        assert cache.get_many(list(ITEMS)) == {}
    assert "certificate verify failed" in lines[0]["err"]
    assert count("thanos_memcached_operation_failures_total", operation="getmulti", reason="network-error") == 1


def test_tls_to_a_server_without_it_is_a_miss(open_guarded: Open, memcached: ServerProcess) -> None:
    cache = open_guarded("MEMCACHED", addresses=[memcached.address], tls_enabled=True, timeout="200ms")
    assert cache.get_many(list(ITEMS)) == {}


def test_no_more_unused_connections_are_kept_than_the_limit(
    open_guarded: Open, start_memcached: StartMemcached
) -> None:
    server = start_memcached()
    cache = open_guarded("MEMCACHED", addresses=[server.address], max_idle_connections=2, max_get_multi_batch_size=2)
    fill(cache)
    assert cache.get_many(list(ITEMS)) == ITEMS
    client = Client(("127.0.0.1", server.port))

    def unused() -> int:
        return int(client.stats()[b"curr_connections"]) - 1  # all but this one

    assert int(client.stats()[b"total_connections"]) > 5
    wait_for(lambda: unused() <= 2, PATIENCE, "connections are not closed")
    client.close()
