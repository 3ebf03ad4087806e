"""A server that vanished without a word: connections that were open stay open, and nothing ever comes over them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from servers.process import ServerProcess, wait_for

from storegate.cache.guard import GuardedCache

PATIENCE = 20.0
ITEMS = {f"silent-{i}": b"x" * 100 for i in range(40)}


class Forwarder:
    """Passes connections on to a server; `silence` leaves those that are open hanging."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets: list[socket.socket] = []
        self._generation = 0
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        """From now on nothing passes over connections that are open now."""
        self._generation += 1

    def close(self) -> None:
        for opened in [self._listener, *self._sockets]:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._port))
                self.accepted += 1
                self._sockets += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=(source, target, self._generation), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, generation: int) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if generation == self._generation:
                    target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


@pytest.fixture(params=["memcached", "redis_server"])
def forwarder(request: pytest.FixtureRequest) -> Iterator[tuple[str, Forwarder]]:
    server: ServerProcess = request.getfixturevalue(request.param)
    forwarder = Forwarder(server.port)
    yield request.param, forwarder
    forwarder.close()


def test_connections_that_fell_silent_cost_one_timeout_in_all(
    forwarder: tuple[str, Forwarder], open_guarded: Callable[..., GuardedCache]
) -> None:
    kind, between = forwarder
    if kind == "memcached":
        cache = open_guarded("MEMCACHED", addresses=[between.address], timeout="200ms", max_get_multi_batch_size=2)
    else:
        cache = open_guarded("REDIS", addr=between.address, read_timeout="200ms", get_multi_batch_size=2)
    cache.set_many(ITEMS, 600.0)
    assert cache.flush(PATIENCE)
    wait_for(lambda: cache.get_many(list(ITEMS)) == ITEMS, PATIENCE, "the values are not found")
    assert between.accepted > 8
    between.silence()
    key = next(iter(ITEMS))
    started = time.monotonic()
    assert cache.get_many([key]) == {}
    wait_for(lambda: cache.get_many([key]) != {}, PATIENCE, "the value is not found again")
    assert time.monotonic() - started < 3
