"""Object stores that count, are slow, hold calls back, or fail: wrappers around any other store.

Operations are named `list`, `head`, `get`, `get_range`, `put` and `delete`; `read_into` counts as `get_range`. Keys are
matched with shell patterns (`*/index`), where `*` also matches `/`. All wrappers are thread-safe and can be stacked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from storegate.errors import UnavailableError
from storegate.types import ObjectInfo, ObjectStore


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a store: operation, key (or prefix), and for ranges offset and length in bytes."""

    operation: str
    key: str
    offset: int = 0
    length: int = -1

    def matches(self, operation: str, key: str) -> bool:
        """Whether both shell patterns fit."""
        return fnmatchcase(self.operation, operation) and fnmatchcase(self.key, key)


class WrappedStore:
    """Passes every call on to `inner`, by way of `call`, which subclasses override."""

    def __init__(self, inner: ObjectStore) -> None:
        self._inner = inner
        self.name = inner.name
        self.writable = inner.writable

    def call(self, request: Request, inner: Callable[[], bytes]) -> bytes:
        """Run `inner`, which asks the wrapped store and gives the data read or written (empty where there is none)."""
        return inner()

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`. It is one request, made before the first entry."""
        self.call(Request("list", prefix), bytes)
        yield from self._inner.list(prefix, recursive=recursive)

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        self.call(Request("head", key), bytes)
        return self._inner.head(key)

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        return self.call(Request("get", key), lambda: self._inner.get(key))

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        return self.call(Request("get_range", key, offset, length), lambda: self._inner.get_range(key, offset, length))

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """See `storegate.SupportsReadInto`."""
        view = buffer.cast("B")
        data = self.get_range(key, offset, len(view))
        view[: len(data)] = data
        return len(data)

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`."""

        def put() -> bytes:
            self._inner.put(key, data)
            return data

        self.call(Request("put", key), put)

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`."""
        self.call(Request("delete", key), bytes)
        self._inner.delete(key)

    def close(self) -> None:
        """See `storegate.ObjectStore.close`."""
        self._inner.close()


class CountingStore(WrappedStore):
    """Counts requests (failed ones too) and bytes, by operation and key."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._transferred: list[tuple[Request, int]] = []

    def call(self, request: Request, inner: Callable[[], bytes]) -> bytes:
        with self._lock:
            self._requests.append(request)
        data = inner()
        with self._lock:
            self._transferred.append((request, len(data)))
        return data

    def requests(self, operation: str = "*", key: str = "*") -> tuple[Request, ...]:
        """Requests so far, in order of their beginning."""
        with self._lock:
            return tuple(request for request in self._requests if request.matches(operation, key))

    def count(self, operation: str = "*", key: str = "*") -> int:
        """The number of requests so far."""
        return len(self.requests(operation, key))

    def transferred(self, operation: str = "*", key: str = "*") -> int:
        """Bytes read and written so far."""
        with self._lock:
            return sum(size for request, size in self._transferred if request.matches(operation, key))

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._requests.clear()
            self._transferred.clear()


class SlowStore(WrappedStore):
    """Adds `latency` seconds to every request, and the time of its bytes at `bandwidth` bytes a second (0: none)."""

    def __init__(self, inner: ObjectStore, *, latency: float = 0.0, bandwidth: float = 0.0) -> None:
        super().__init__(inner)
        self.latency = latency
        self.bandwidth = bandwidth

    def call(self, request: Request, inner: Callable[[], bytes]) -> bytes:
        data = inner()
        time.sleep(self.latency + (len(data) / self.bandwidth if self.bandwidth else 0.0))
        return data


class HoldingStore(WrappedStore):
    """Holds matching requests back until `release`, so that a test can look at a query while it waits.

    `reached` is set once a request is held; one that is held for `timeout` seconds fails with UnavailableError.
    """

    def __init__(self, inner: ObjectStore, *, operation: str = "*", key: str = "*", timeout: float = 60.0) -> None:
        super().__init__(inner)
        self.reached = threading.Event()
        self._released = threading.Event()
        self._operation, self._key, self._timeout = operation, key, timeout

    def call(self, request: Request, inner: Callable[[], bytes]) -> bytes:
        if request.matches(self._operation, self._key):
            self.reached.set()
            if not self._released.wait(self._timeout):
                raise UnavailableError(f"{request.operation} of {request.key!r} was held for {self._timeout} s")
        return inner()

    def release(self) -> None:
        """Let held and later requests pass."""
        self._released.set()


@dataclass(frozen=True, kw_only=True)
class Occurrences:
    """Which of the matching requests are struck: `times` of them (None: all), from the `first` on (1, 2, ...)."""

    first: int = 1
    times: int | None = None

    def strikes(self, number: int) -> bool:
        """Whether the matching request of this number (from 1) is struck."""
        return number >= self.first and (self.times is None or number < self.first + self.times)


@dataclass(frozen=True, kw_only=True)
class Fault(Occurrences):
    """What goes wrong with which requests.

    `error` (or what it returns) is raised instead of asking the store; otherwise `change` is applied to the data read.
    """

    operation: str = "*"
    key: str = "*"
    error: Exception | Callable[[], Exception] | None = None
    change: Callable[[bytes], bytes] | None = None


class FaultyStore(WrappedStore):
    """Applies faults; `add` more at any time, `clear` them to make the store whole again."""

    def __init__(self, inner: ObjectStore, *faults: Fault) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._counts: dict[Fault, int] = dict.fromkeys(faults, 0)

    def add(self, fault: Fault) -> None:
        """One more fault, which counts requests from now on."""
        with self._lock:
            self._counts[fault] = 0

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._counts.clear()

    def call(self, request: Request, inner: Callable[[], bytes]) -> bytes:
        faults = self._strike(request)
        for error in (fault.error for fault in faults if fault.error is not None):
            raise error if isinstance(error, Exception) else error()
        data = inner()
        for fault in faults:
            data = fault.change(data) if fault.change is not None else data
        return data

    def _strike(self, request: Request) -> list[Fault]:
        """Count the request; the faults that strike it."""
        struck = []
        with self._lock:
            for fault in self._counts:
                if request.matches(fault.operation, fault.key):
                    self._counts[fault] += 1
                    if fault.strikes(self._counts[fault]):
                        struck.append(fault)
        return struck


def shorten(by: int = 1) -> Callable[[bytes], bytes]:
    """A change for Fault: cuts `by` bytes off the end of what is read."""
    return lambda data: data[: max(0, len(data) - by)]


def flip(position: int = 0, mask: int = 0xFF) -> Callable[[bytes], bytes]:
    """A change for Fault: flips the bits of `mask` in the byte at `position` (negative: from the end)."""

    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        if -len(changed) <= position < len(changed):
            changed[position] ^= mask
        return bytes(changed)

    return change
