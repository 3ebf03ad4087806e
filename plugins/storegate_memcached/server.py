"""One memcached server: pooled connections, and errors of the SDK as those of storegate."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pymemcache.client.base import Client
from pymemcache.exceptions import (
    MemcacheClientError,
    MemcacheError,
    MemcacheServerError,
    MemcacheUnexpectedCloseError,
)

from storegate import DeadlineError, InvalidRequestError, StoregateError, UnavailableError
from storegate_memcached.keys import wire_key

T = TypeVar("T")

RECEIVE_BYTES = 32 * 1024
"""What one system call may bring; pymemcache asks for 4 KiB, which costs a page of an index many calls."""


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


class Server:
    """The server at an address. Thread-safe; connections are made when they are needed.

    Times in seconds. Raises DeadlineError, UnavailableError, InvalidRequestError and StoregateError.
    """

    def __init__(
        self, address: str, timeout: float, max_idle: int, tls: ssl.SSLContext | None = None, tls_name: str = ""
    ) -> None:
        self.name = address
        self._timeout = timeout
        self._max_idle = max_idle
        self._tls = tls
        self._tls_name = tls_name
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._closed = False

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `storegate.Cache.get_many`."""
        by_wire = {wire_key(key): key for key in keys}
        values = self.call(lambda connection: connection.get_many(list(by_wire)))
        return {by_wire[key]: value for key, value in values.items()}

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        """See `storegate.Cache.set_many`. Lifetimes are whole seconds of the server, by absolute time."""
        expires = int(time.time() + max(ttl, 1.0))
        values = {wire_key(key): value for key, value in items.items()}
        self.call(lambda connection: connection.set_many(values, expire=expires, noreply=False))

    def close(self) -> None:
        """Close unused connections now, those in use when they are given back."""
        self._closed = True
        self._forget_idle()

    def call(self, operation: Callable[[Client], T]) -> T:
        """Run the operation on a connection of the pool; once more on a new one if an unused one had been cut.

        After a failure of the network no unused connection is trusted: a server that went away without a word leaves
        connections behind that each would cost a timeout.
        """
        try:
            pooled = self._take()
            if pooled is not None:
                try:
                    return self._run(pooled, operation)
                except (MemcacheUnexpectedCloseError, ConnectionError):
                    self._forget_idle()
            return self._run(self._connection(), operation)
        except (OSError, MemcacheError) as error:
            if isinstance(error, OSError):
                self._forget_idle()
            raise self._translated(error) from error

    def _connection(self) -> _Connection:
        connection = _Connection(
            split_address(self.name),
            connect_timeout=self._timeout,
            timeout=self._timeout,
            no_delay=True,
            tls_context=self._tls,
        )
        connection.tls_name = self._tls_name
        return connection

    def _run(self, connection: _Connection, operation: Callable[[Client], T]) -> T:
        try:
            result = operation(connection)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if not self._closed and len(self._idle) < self._max_idle:
                self._idle.append(connection)
                return result
        connection.close()
        return result

    def _take(self) -> _Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _forget_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _translated(self, error: Exception) -> StoregateError:
        where = f"memcached {self.name}"
        if isinstance(error, TimeoutError):
            return DeadlineError(f"{where}: no answer within {self._timeout:g} s")
        if isinstance(error, MemcacheUnexpectedCloseError):
            return UnavailableError(f"{where}: closed the connection")
        if isinstance(error, MemcacheClientError):
            return InvalidRequestError(f"{where}: refused the request: {error}")
        if isinstance(error, MemcacheServerError):
            return StoregateError(f"{where}: failed: {_text(error)}")
        if isinstance(error, MemcacheError):
            return StoregateError(f"{where}: gave an answer that is none of memcached's")
        return UnavailableError(f"{where}: {getattr(error, 'strerror', None) or error}")


class _Connection(Client):  # type: ignore[misc]
    """A connection that tries every address of a name, and receives in large pieces."""

    tls_name = ""

    def _connect(self) -> None:
        self.close()
        plain = socket.create_connection(self.server, self.connect_timeout)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls_context is not None:
                name = self.tls_name or self.server[0]
                self.sock: Any = self.tls_context.wrap_socket(plain, server_hostname=name)
            else:
                self.sock = _Socket(fileno=plain.detach())
            self.sock.settimeout(self.timeout)
        except BaseException:
            plain.close()
            raise


class _Socket(socket.socket):
    def recv(self, size: int, flags: int = 0, /) -> bytes:
        return super().recv(max(size, RECEIVE_BYTES), flags)


def _text(error: Exception) -> str:
    message = error.args[0] if error.args else ""
    return message.decode("ascii", "replace") if isinstance(message, bytes) else str(message)
