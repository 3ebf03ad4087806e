"""Fixtures that start Redis, sentinels included, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import redis

from servers.process import ServerProcess, free_port, wait_for

StartRedis = Callable[..., ServerProcess]


def redis_process(folder: Path, *arguments: str, port: int = 0) -> ServerProcess:
    """A Redis without persistence that is not started yet. `arguments` are directives: `--requirepass`, `secret`."""
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    listen: Sequence[str] = ["--bind", "127.0.0.1", "--port", str(port)]
    memory = [
        "--save",
        "",
        "--appendonly",
        "no",
        "--repl-diskless-sync-delay",
        "0",
        "--maxmemory",
        "64mb",
        "--maxmemory-policy",
        "allkeys-lru",
    ]
    directory = ["--dir", str(folder)]
    if "--tls-port" in arguments:
        listen = ["--bind", "127.0.0.1", "--port", "0"]
        port = int(arguments[arguments.index("--tls-port") + 1])
    return ServerProcess("redis-server", "redis-server", [*listen, *memory, *directory, *arguments], port, folder)


def sentinel_process(folder: Path, master: ServerProcess, name: str) -> ServerProcess:
    """A sentinel that watches one master and has not started yet."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "sentinel.conf"
    file.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
        f"sentinel monitor {name} 127.0.0.1 {master.port} 1\n"
        f"sentinel down-after-milliseconds {name} 300\nsentinel failover-timeout {name} 1000\n"
    )
    return ServerProcess("redis-server", "redis-server", [str(file), "--sentinel"], port, folder)


def cluster_process(folder: Path) -> ServerProcess:
    """The only node of a cluster, not started yet; `form_cluster` makes it serve."""
    options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--cluster-announce-ip", "127.0.0.1"]
    return redis_process(folder, *options)


def form_cluster(node: ServerProcess) -> None:
    """Give all slots to this node, and wait until it serves them: Redis takes two seconds."""
    with redis.Redis(port=node.port) as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        wait_for(lambda: "ok" in str(client.cluster("info")["cluster_state"]), 30, "the cluster does not form")


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A cluster of one node that all tests share."""
    server = cluster_process(tmp_path_factory.mktemp("redis-cluster"))
    try:
        server.start()
        form_cluster(server)
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server that all tests share: they use keys of their own, and neither stop nor flush it."""
    server = redis_process(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def sentinel(tmp_path_factory: pytest.TempPathFactory, redis_server: ServerProcess) -> Iterator[ServerProcess]:
    """Watches the server that all tests share, under the name `cache`."""
    server = sentinel_process(tmp_path_factory.mktemp("sentinel"), redis_server, "cache")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[StartRedis]:
    """Starts servers of this test's own, with further directives if given; `sentinel_of=` starts a sentinel."""
    servers: list[ServerProcess] = []

    def start(*arguments: str, port: int = 0, sentinel_of: ServerProcess | None = None) -> ServerProcess:
        folder = tmp_path / f"redis-{len(servers)}"
        if sentinel_of is not None:
            server = sentinel_process(folder, sentinel_of, "cache")
        else:
            server = redis_process(folder, *arguments, port=port)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()
