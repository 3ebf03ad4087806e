"""Fixtures that start memcached for tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servers.process import ServerProcess, free_port

StartMemcached = Callable[..., ServerProcess]


def memcached_process(folder: Path, *arguments: str, port: int = 0) -> ServerProcess:
    """A memcached that is not started yet."""
    port = port or free_port()
    as_root = ["-u", "nobody"] if os.getuid() == 0 else []
    listen = ["-l", "127.0.0.1", "-p", str(port), "-m", "64", "-t", "2"]
    folder.mkdir(parents=True, exist_ok=True)
    return ServerProcess("memcached", "memcached", [*listen, *as_root, *arguments], port, folder)


@pytest.fixture(scope="session")
def memcached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server that all tests share: they use keys of their own, and neither stop nor flush it."""
    server = memcached_process(tmp_path_factory.mktemp("memcached"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def second_memcached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One more, for tests of several."""
    server = memcached_process(tmp_path_factory.mktemp("memcached"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def start_memcached(tmp_path: Path) -> Iterator[StartMemcached]:
    """Starts servers of this test's own, with further arguments if given."""
    servers: list[ServerProcess] = []

    def start(*arguments: str, port: int = 0) -> ServerProcess:
        server = memcached_process(tmp_path / f"memcached-{len(servers)}", *arguments, port=port)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()
