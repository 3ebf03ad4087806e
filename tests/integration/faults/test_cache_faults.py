"""Faults between a gateway and its caches: the real command, real servers. No query fails, hangs or is wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from pymemcache.client.base import Client
from servers.memcached import memcached_process
from servers.process import ServerProcess, wait_for
from servers.redis import redis_process

PATIENCE = 30.0
DEADLINE = 0.2  # s, of a lookup
SLACK = 2.0  # s; the machine is shared
KINDS = ("memcached", "redis")


class Cached:
    """A gateway whose index cache and caching bucket lie on one server."""

    def __init__(self, gateway: Any, server: ServerProcess, kind: str) -> None:
        self.gateway = gateway
        self.server = server
        self.kind = kind
        self.answer = gateway.series()

    def seconds(self) -> float:
        """How long one query takes; its answer must be right."""
        started = time.monotonic()
        assert self.gateway.series() == self.answer
        return time.monotonic() - started

    def hits(self) -> list[float]:
        """Of either cache, so far."""
        name = f"thanos_cache_{self.kind}_hits_total"
        return [self.gateway.metric(name, name=role) for role in ("index-cache", "caching-bucket")]

    def until_hit(self) -> None:
        """Query until both caches are used."""
        before = self.hits()

        def hit() -> bool:
            self.seconds()
            return all(now > then for now, then in zip(self.hits(), before, strict=True))

        wait_for(hit, PATIENCE, "the caches are not used")

    def flush(self) -> None:
        """Let the server forget everything."""
        if self.kind == "redis":
            with redis.Redis(port=self.server.port) as client:
                client.flushall()
        else:
            client = Client(("127.0.0.1", self.server.port))
            client.flush_all(noreply=False)
            client.close()


@contextmanager
def warm(kind: str, folder: Path, start_cached: Callable[..., Any]) -> Iterator[Cached]:
    """A gateway with warm caches on a server of its own."""
    timeout = f"{DEADLINE}s"
    if kind == "redis":
        server = redis_process(folder)
        config: dict[str, Any] = {"addr": server.address, "read_timeout": timeout, "write_timeout": timeout}
    else:
        server = memcached_process(folder)
        config = {"addresses": [server.address], "timeout": timeout}
    try:
        server.start()
        with start_cached({"type": kind.upper(), "config": config}) as gateway:
            cached = Cached(gateway, server, kind)
            cached.until_hit()
            yield cached
    finally:
        server.kill()


@pytest.fixture(scope="module", params=KINDS)
def cached(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, start_cached: Callable[..., Any]
) -> Iterator[Cached]:
    """One for many tests, which leave its server alive and its caches in use."""
    with warm(request.param, tmp_path_factory.mktemp("server"), start_cached) as made:
        yield made


@contextmanager
def load(cached: Cached) -> Iterator[list[float]]:
    """Queries without end on four threads, each with the right answer; at the end what each of them took."""
    stop, seconds = threading.Event(), []

    def query() -> None:
        while not stop.is_set():
            seconds.append(cached.seconds())

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(query) for _ in range(4)]
        try:
            yield seconds
        finally:
            stop.set()
        for run in runs:
            run.result()


def test_a_server_killed_and_restarted_under_load_harms_no_query(cached: Cached) -> None:
    with load(cached) as seconds:
        for _ in range(2):
            cached.server.kill()
            done = len(seconds)
            wait_for(lambda: len(seconds) >= done + 20, PATIENCE, "queries do not go on")  # noqa: B023
            cached.server.start()
            cached.until_hit()
    assert max(seconds) < SLACK


def test_a_frozen_server_costs_a_query_its_deadlines_once(cached: Cached) -> None:
    cached.server.freeze()
    assert cached.seconds() < 2 * DEADLINE + SLACK
    assert sum(cached.seconds() for _ in range(10)) < SLACK
    cached.server.thaw()
    cached.until_hit()


def test_a_flushed_server_fills_again(cached: Cached) -> None:
    cached.flush()
    cached.seconds()
    cached.until_hit()


@pytest.mark.parametrize("kind", KINDS)
def test_a_gateway_ends_in_time_while_its_cache_is_frozen(
    kind: str, tmp_path: Path, start_cached: Callable[..., Any]
) -> None:
    with warm(kind, tmp_path, start_cached) as cached:
        cached.server.freeze()
        cached.seconds()
        started = time.monotonic()
        assert cached.gateway.store.stop() == 0
        assert time.monotonic() - started < 10


@pytest.mark.parametrize("cached", ["redis"], indirect=True)
@pytest.mark.parametrize("damage", ["cut", "flipped", "swapped", "foreign"])
def test_wrong_values_are_misses(cached: Cached, damage: str) -> None:
    with redis.Redis(port=cached.server.port) as client:
        values = {key: client.get(key) or b"" for key in client.keys()}
        rotated = dict(zip(values, [*list(values.values())[1:], *list(values.values())[:1]], strict=True))
        assert len(values) > 1
        for key, value in values.items():
            wrong = {
                "cut": value[:-1],
                "flipped": value[:-1] + bytes([value[-1] ^ 1]),
                "swapped": rotated[key],
                "foreign": b"x" * len(value),
            }
            client.set(key, wrong[damage])
    cached.seconds()
    assert cached.gateway.metric("storegate_cache_wrong_values_total") > 0
    cached.until_hit()


def test_a_gateway_starts_while_its_cache_is_dead(start_cached: Callable[..., Any]) -> None:
    with start_cached({"type": "REDIS", "config": {"addr": "127.0.0.1:1"}}) as gateway:
        assert len(gateway.series()) > 0
        assert gateway.metric("storegate_cache_servers_stepped_over", name="index-cache") == 1
