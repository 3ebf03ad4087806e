"""Wrappers around any object store: a prefix, metrics, and `read_into` for stores that have none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from storegate.errors import CancelledError, NotFoundError
from storegate.types import ObjectInfo, ObjectStore, SupportsReadInto

ReadInto = Callable[[str, int, memoryview], int]

OPERATIONS = ("iter", "get", "get_range", "exists", "upload", "delete", "attributes")
FETCHING = ("get", "get_range")
TRANSFERRING = (*FETCHING, "upload")
SECONDS = (0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120)
TRANSFERRED_BYTES = tuple(32 * 1024 * 2**n for n in range(16))
MAY_BE_ABSENT = frozenset({"meta.json", "deletion-mark.json", "no-compact-mark.json", "no-downsample-mark.json"})
"""Names of objects that are asked for without knowing that they exist."""


class ReadableStore(ObjectStore, SupportsReadInto, Protocol):
    """An object store that has `read_into`; the wrappers of this module are."""


def read_into_of(store: ObjectStore) -> ReadInto:
    """The store's own `read_into`, or one that copies what `get_range` gives."""
    if isinstance(store, SupportsReadInto):
        return store.read_into

    def read_into(key: str, offset: int, buffer: memoryview) -> int:
        view = buffer.cast("B")
        data = store.get_range(key, offset, len(view))
        view[: len(data)] = data
        return len(data)

    return read_into


def with_prefix(store: ObjectStore, prefix: str) -> ObjectStore:
    """The part of a store below `prefix`; slashes around it do not count, and an empty one is the whole store."""
    prefix = prefix.strip("/")
    return PrefixedStore(store, prefix) if prefix else store


class PrefixedStore:
    """The objects below `<prefix>/`, under names without it. As thread-safe as the store; `close` closes the store."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store = store
        self._prefix = f"{prefix.strip('/')}/"
        self._read_into = read_into_of(store)
        self.name = store.name
        self.writable = store.writable

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`."""
        for info in self._store.list(self._prefix + prefix, recursive=recursive):
            yield self._inside(info)

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        return self._inside(self._store.head(self._prefix + key))

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        return self._store.get(self._prefix + key)

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        return self._store.get_range(self._prefix + key, offset, length)

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """See `storegate.SupportsReadInto`."""
        return self._read_into(self._prefix + key, offset, buffer)

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`."""
        self._store.put(self._prefix + key, data)

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`."""
        self._store.delete(self._prefix + key)

    def close(self) -> None:
        """See `storegate.ObjectStore.close`."""
        self._store.close()

    def _inside(self, info: ObjectInfo) -> ObjectInfo:
        return ObjectInfo(key=info.key.removeprefix(self._prefix), size=info.size, modified=info.modified)


class ObjstoreMetrics:
    """`thanos_objstore_bucket_*`, one instance per registry; the label `bucket` is the name of the store."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def name(suffix: str) -> str:
            return f"thanos_objstore_bucket_{suffix}"

        labels = ["bucket", "operation"]
        self.operations = Counter(name("operations_total"), "Operations that were begun.", labels, registry=registry)
        self.failures = Counter(
            name("operation_failures_total"), "Operations that failed unexpectedly.", labels, registry=registry
        )
        self.fetched_bytes = Counter(
            name("operation_fetched_bytes_total"), "Bytes that were read.", labels, registry=registry
        )
        self.transferred_bytes = Histogram(
            name("operation_transferred_bytes"),
            "Bytes of one operation.",
            labels,
            buckets=TRANSFERRED_BYTES,
            registry=registry,
        )
        self.seconds = Histogram(
            name("operation_duration_seconds"), "Time of one operation.", labels, buckets=SECONDS, registry=registry
        )
        self.last_upload = Gauge(
            name("last_successful_upload_time"), "Unix seconds of the last upload.", ["bucket"], registry=registry
        )


class _Operation:
    """The metrics of one kind of operation on one store."""

    def __init__(self, metrics: ObjstoreMetrics, bucket: str, operation: str) -> None:
        self._begun = metrics.operations.labels(bucket, operation)
        self._failures = metrics.failures.labels(bucket, operation)
        self._seconds = metrics.seconds.labels(bucket, operation)
        if operation in TRANSFERRING:
            self._fetched = metrics.fetched_bytes.labels(bucket, operation)
            self._transferred = metrics.transferred_bytes.labels(bucket, operation)
        self._fetches = operation in FETCHING

    @contextmanager
    def measured(self, key: str) -> Iterator[None]:
        """Count and time what is done to `key` inside."""
        self._begun.inc()
        started = time.perf_counter()
        try:
            yield
        except BaseException as error:
            if not _is_expected(error, key):
                self._failures.inc()
            raise
        finally:
            self._seconds.observe(time.perf_counter() - started)

    def moved(self, size: int) -> None:
        """Count the bytes of a finished operation."""
        if self._fetches:
            self._fetched.inc(size)
        self._transferred.observe(size)


def _is_expected(error: BaseException, key: str) -> bool:
    if isinstance(error, NotFoundError):
        return key.rpartition("/")[2] in MAY_BE_ABSENT
    return isinstance(error, CancelledError | GeneratorExit)


class InstrumentedStore:
    """Any store, measured. As thread-safe as the store; `read_into` copies where the store has none."""

    def __init__(self, store: ObjectStore, metrics: ObjstoreMetrics) -> None:
        self._store = store
        self._read_into = read_into_of(store)
        self.name = store.name
        self.writable = store.writable
        operations = {operation: _Operation(metrics, store.name, operation) for operation in OPERATIONS}
        self._iter = operations["iter"]
        self._get = operations["get"]
        self._get_range = operations["get_range"]
        self._upload = operations["upload"]
        self._delete = operations["delete"]
        self._attributes = operations["attributes"]
        self._last_upload = metrics.last_upload.labels(store.name)

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`; the time includes what the caller does with the entries."""
        with self._iter.measured(prefix):
            yield from self._store.list(prefix, recursive=recursive)

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        with self._attributes.measured(key):
            return self._store.head(key)

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        with self._get.measured(key):
            data = self._store.get(key)
        self._get.moved(len(data))
        return data

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        with self._get_range.measured(key):
            data = self._store.get_range(key, offset, length)
        self._get_range.moved(len(data))
        return data

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """See `storegate.SupportsReadInto`; counted as `get_range`."""
        with self._get_range.measured(key):
            size = self._read_into(key, offset, buffer)
        self._get_range.moved(size)
        return size

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`."""
        with self._upload.measured(key):
            self._store.put(key, data)
        self._upload.moved(len(data))
        self._last_upload.set_to_current_time()

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`."""
        with self._delete.measured(key):
            self._store.delete(key)

    def close(self) -> None:
        """See `storegate.ObjectStore.close`."""
        self._store.close()
