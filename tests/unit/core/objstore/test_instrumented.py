"""What the gateway asks of its bucket, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from storegate import CancelledError, NotFoundError, UnavailableError
from storegate.objstore import InstrumentedStore, ObjstoreMetrics
from storegate.testing.faults import Fault, FaultyStore
from storegate.testing.memory_store import MemoryStore

Sample = Callable[..., float | None]


@pytest.fixture
def metrics(registry: CollectorRegistry) -> ObjstoreMetrics:
    return ObjstoreMetrics(registry)


@pytest.fixture
def sample(registry: CollectorRegistry) -> Sample:
    """The value of a metric of the bucket `memory`; the name without its prefix."""

    def _sample(name: str, operation: str | None = None) -> float | None:
        labels = {"bucket": "memory"} | ({"operation": operation} if operation else {})
        return registry.get_sample_value(f"thanos_objstore_bucket_{name}", labels)

    return _sample


def test_all_operations_are_there_from_the_start(metrics: ObjstoreMetrics, sample: Sample) -> None:
    InstrumentedStore(MemoryStore(), metrics)
    operations = ("iter", "get", "get_range", "exists", "upload", "delete", "attributes")
    assert {name: sample("operations_total", name) for name in operations} == dict.fromkeys(operations, 0)
    assert {name: sample("operation_failures_total", name) for name in operations} == dict.fromkeys(operations, 0)
    assert {name: sample("operation_fetched_bytes_total", name) for name in ("get", "get_range")} == {
        "get": 0,
        "get_range": 0,
    }


def test_every_call_is_counted_under_its_operation(metrics: ObjstoreMetrics, sample: Sample) -> None:
    store = InstrumentedStore(MemoryStore({"key": b"0123456789"}), metrics)
    list(store.list())
    store.head("key")
    store.get("key")
    store.get_range("key", 0, 4)
    store.read_into("key", 0, memoryview(bytearray(3)))
    store.put("new", b"12345")
    store.delete("new")
    expected = {"iter": 1, "attributes": 1, "get": 1, "get_range": 2, "upload": 1, "delete": 1, "exists": 0}
    assert {name: sample("operations_total", name) for name in expected} == expected
    assert {name: sample("operation_duration_seconds_count", name) for name in expected} == expected
    assert sample("operation_fetched_bytes_total", "get") == 10
    assert sample("operation_fetched_bytes_total", "get_range") == 7
    assert sample("operation_transferred_bytes_sum", "upload") == 5
    assert sample("operation_transferred_bytes_count", "get_range") == 2
    assert (sample("last_successful_upload_time") or 0) > 1e9


def test_failures_are_counted(metrics: ObjstoreMetrics, sample: Sample) -> None:
    inner = FaultyStore(MemoryStore({"key": b"x"}), Fault(error=UnavailableError("down")))
    store = InstrumentedStore(inner, metrics)
    for call in (store.head, store.get, lambda key: list(store.list()), lambda key: store.get_range(key, 0, 1)):
        with pytest.raises(UnavailableError):
            call("key")
    for operation in ("attributes", "get", "iter", "get_range"):
        assert sample("operation_failures_total", operation) == 1
        assert sample("operations_total", operation) == 1


@pytest.mark.parametrize("name", ["meta.json", "deletion-mark.json", "no-compact-mark.json", "no-downsample-mark.json"])
def test_metas_and_marks_may_be_absent_without_failing(metrics: ObjstoreMetrics, sample: Sample, name: str) -> None:
    store = InstrumentedStore(MemoryStore(), metrics)
    for call, operation in ((store.get, "get"), (store.head, "attributes")):
        with pytest.raises(NotFoundError):
            call(f"BLOCK/{name}")
        assert sample("operation_failures_total", operation) == 0
        assert sample("operations_total", operation) == 1


def test_other_absent_objects_are_failures(metrics: ObjstoreMetrics, sample: Sample) -> None:
    with pytest.raises(NotFoundError):
        InstrumentedStore(MemoryStore(), metrics).get("BLOCK/index")
    assert sample("operation_failures_total", "get") == 1


def test_a_cancelled_read_is_no_failure(metrics: ObjstoreMetrics, sample: Sample) -> None:
    store = InstrumentedStore(FaultyStore(MemoryStore(), Fault(error=CancelledError("gone"))), metrics)
    with pytest.raises(CancelledError):
        store.get("key")
    assert sample("operation_failures_total", "get") == 0


def test_a_listing_that_is_not_read_to_its_end_is_no_failure(metrics: ObjstoreMetrics, sample: Sample) -> None:
    listing = InstrumentedStore(MemoryStore({"a": b"", "b": b""}), metrics).list()
    assert isinstance(listing, Iterator)
    next(listing)
    listing.close()  # type: ignore[attr-defined]
    assert sample("operation_failures_total", "iter") == 0
    assert sample("operation_duration_seconds_count", "iter") == 1


def test_an_instrumented_store_always_fills_buffers(metrics: ObjstoreMetrics, filling: Any) -> None:
    able, plain = filling({"key": b"0123"}), MemoryStore({"key": b"0123"})
    for inner in (able, plain):
        buffer = bytearray(4)
        assert InstrumentedStore(inner, metrics).read_into("key", 1, memoryview(buffer)) == 3
        assert buffer[:3] == b"123"
    assert able.filled == 1


def test_two_stores_share_a_registry(metrics: ObjstoreMetrics, registry: CollectorRegistry) -> None:
    for name in ("one", "two"):
        store = InstrumentedStore(MemoryStore({"key": b"x"}, name=name), metrics)
        store.get("key")
        labels = {"bucket": name, "operation": "get"}
        assert registry.get_sample_value("thanos_objstore_bucket_operations_total", labels) == 1


def test_name_and_writability_are_passed_on_and_closing_closes(metrics: ObjstoreMetrics) -> None:
    inner = MemoryStore()
    store = InstrumentedStore(inner, metrics)
    assert (store.name, store.writable) == ("memory", True)
    store.close()
    assert inner.closed
