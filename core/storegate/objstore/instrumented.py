"""The metrics of section 5.4 of operations: what the gateway asks of its bucket.

An operation is what the gateway asked for. It is counted once, however many requests it took, as the reference counts
above the retries of its SDKs; its time holds them and the pauses between. `storegate_objstore_*` are about the requests
that came on top (`resilience_metrics.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from storegate.errors import CancelledError, NotFoundError
from storegate.objstore.wrapper import StoreWrapper
from storegate.plugin_calls import Totals, sum_of
from storegate.types import ObjectInfo, ObjectStore

OPERATIONS = ("iter", "get", "get_range", "exists", "upload", "delete", "attributes")
FETCHING = ("get", "get_range")
TRANSFERRING = (*FETCHING, "upload")
SECONDS = (0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120)
TRANSFERRED_BYTES = tuple(32 * 1024 * 2**n for n in range(16))
MAY_BE_ABSENT = frozenset({"meta.json", "deletion-mark.json", "no-compact-mark.json", "no-downsample-mark.json"})
"""Names of objects that are asked for without knowing that they exist."""


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

    def measured(self, key: str) -> _Measurement:
        """Count and time what is done to `key` inside."""
        return _Measurement(self, key)

    def begin(self) -> None:
        """Count one that begins."""
        self._begun.inc()

    def end(self, key: str, seconds: float, error: BaseException | None) -> None:
        """Count one that ended."""
        if error is not None and not _is_expected(error, key):
            self._failures.inc()
        self._seconds.observe(seconds)

    def moved(self, size: int) -> None:
        """Count the bytes of a finished operation."""
        if self._fetches:
            self._fetched.inc(size)
        self._transferred.observe(size)


class _Measurement:
    """A context manager, written out: one made of a generator takes as long as half a read of a folder."""

    __slots__ = ("_key", "_operation", "_started")

    def __init__(self, operation: _Operation, key: str) -> None:
        self._operation = operation
        self._key = key

    def __enter__(self) -> None:
        self._operation.begin()
        self._started = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._operation.end(self._key, time.perf_counter() - self._started, error)


def _is_expected(error: BaseException, key: str) -> bool:
    if isinstance(error, NotFoundError):
        return key.rpartition("/")[2] in MAY_BE_ABSENT
    return isinstance(error, CancelledError | GeneratorExit)


class InstrumentedStore(StoreWrapper):
    """Any store, measured. As thread-safe as the store; `read_into` copies where the store has none."""

    def __init__(self, store: ObjectStore, metrics: ObjstoreMetrics) -> None:
        super().__init__(store)
        operations = {operation: _Operation(metrics, store.name, operation) for operation in OPERATIONS}
        self._metrics = metrics
        self._iter = operations["iter"]
        self._get = operations["get"]
        self._get_range = operations["get_range"]
        self._upload = operations["upload"]
        self._delete = operations["delete"]
        self._attributes = operations["attributes"]
        self._last_upload = metrics.last_upload.labels(store.name)

    def totals(self) -> Totals:
        """Operations of this store so far. Not for each read: it looks at all samples."""
        bucket = self._store.name
        return Totals(
            calls=sum_of(self._metrics.operations, "_total", bucket=bucket),
            seconds=sum_of(self._metrics.seconds, "_sum", bucket=bucket),
            errors=sum_of(self._metrics.failures, "_total", bucket=bucket),
        )

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
