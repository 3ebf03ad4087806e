"""Wrappers of object stores count, wait and fail as they are told to."""

from __future__ import annotations

import threading
import time

import pytest

from storegate.errors import NotFoundError, ThrottledError, UnavailableError
from storegate.testing.faults import CountingStore, Fault, FaultyStore, HoldingStore, SlowStore, flip, shorten
from storegate.testing.memory_store import MemoryStore
from storegate.types import ObjectInfo, SupportsReadInto

OBJECTS = {"A/index": b"0123456789", "A/chunks/000001": b"chunks", "B/index": b"index", "top": b""}


def memory() -> MemoryStore:
    return MemoryStore(OBJECTS)


def test_a_memory_store_lists_folders_and_objects() -> None:
    assert [info.key for info in memory().list()] == ["A/", "B/", "top"]
    assert [info.key for info in memory().list("A/")] == ["A/chunks/", "A/index"]
    assert [info.key for info in memory().list("A/", recursive=True)] == ["A/chunks/000001", "A/index"]
    assert list(memory().list("nothing/")) == []


def test_a_memory_store_knows_sizes_of_objects_only() -> None:
    listed = {info.key: info.size for info in memory().list("A/")}
    assert listed == {"A/chunks/": None, "A/index": 10}


@pytest.mark.parametrize("operation", ["head", "get", "delete"])
def test_a_memory_store_names_what_is_missing(operation: str) -> None:
    with pytest.raises(NotFoundError, match="no/such"):
        getattr(memory(), operation)("no/such")


def test_a_memory_store_forgets_what_is_deleted() -> None:
    store = memory()
    store.delete("top")
    store.put("new", b"x")
    assert [info.key for info in store.list()] == ["A/", "B/", "new"]
    store.close()
    assert store.closed


def test_requests_and_bytes_are_counted_by_operation_and_key() -> None:
    store = CountingStore(memory())
    store.get("B/index")
    store.get_range("A/index", 2, 3)
    store.get_range("A/index", 8, 100)
    store.put("C", b"four")
    list(store.list())
    store.head("top")
    store.delete("C")
    assert (store.count(), store.transferred()) == (7, 5 + 3 + 2 + 4)
    assert (store.count("get_range"), store.transferred("get_range", "A/*")) == (2, 5)
    assert (store.count(key="*/index"), store.transferred(key="*/index")) == (3, 10)
    assert [(one.offset, one.length) for one in store.requests("get_range")] == [(2, 3), (8, 100)]
    store.reset()
    assert store.count() == store.transferred() == 0


def test_a_failed_request_is_counted_without_bytes() -> None:
    store = CountingStore(memory())
    with pytest.raises(NotFoundError):
        store.get("no/such")
    assert (store.count("get"), store.transferred()) == (1, 0)


def test_a_buffer_is_filled_as_by_a_range() -> None:
    store = CountingStore(memory())
    assert isinstance(store, SupportsReadInto)
    buffer = bytearray(6)
    assert store.read_into("A/index", 7, memoryview(buffer)) == 3
    assert bytes(buffer) == b"789\0\0\0"
    assert store.requests()[0].operation == "get_range"


def test_a_wrapper_answers_as_the_store_itself() -> None:
    store = CountingStore(memory())
    assert (store.name, store.writable) == ("memory", True)
    assert list(store.list("A/", recursive=True))[1].key == "A/index"
    assert isinstance(store.head("A/index"), ObjectInfo)


def test_a_slow_store_takes_its_latency_and_bandwidth() -> None:
    store = SlowStore(memory(), latency=0.01, bandwidth=1000)
    started = time.perf_counter()
    store.get("A/index")
    assert time.perf_counter() - started >= 0.02


def test_a_held_request_waits_until_it_is_released() -> None:
    store = HoldingStore(memory(), key="*/index")
    assert store.get("top") == b""
    read: list[bytes] = []
    thread = threading.Thread(target=lambda: read.append(store.get("A/index")))
    thread.start()
    assert store.reached.wait(10)
    assert read == []
    store.release()
    thread.join(10)
    assert read == [b"0123456789"]


def test_a_held_request_does_not_wait_for_ever() -> None:
    with pytest.raises(UnavailableError, match="held"):
        HoldingStore(memory(), timeout=0.001).get("top")


def test_the_chosen_request_fails_and_no_other() -> None:
    store = FaultyStore(memory(), Fault(operation="get", key="*/index", first=2, times=1, error=ThrottledError("slow")))
    store.get("A/index")
    store.get("top")
    with pytest.raises(ThrottledError, match="slow"):
        store.get("B/index")
    store.get("A/index")


def test_a_class_of_errors_can_be_raised_again_and_again() -> None:
    store = FaultyStore(memory(), Fault(error=lambda: UnavailableError("down")))
    for _ in range(3):
        with pytest.raises(UnavailableError, match="down"):
            list(store.list())


def test_data_can_be_cut_short_and_corrupted() -> None:
    store = FaultyStore(memory(), Fault(key="A/index", change=shorten(4)), Fault(key="A/index", change=flip(0, 1)))
    assert store.get_range("A/index", 0, 10) == b"112345"
    assert store.get("B/index") == b"index"
    store.clear()
    assert store.get("A/index") == b"0123456789"


def test_faults_can_be_added_later() -> None:
    store = FaultyStore(memory())
    store.get("top")
    store.add(Fault(error=UnavailableError("down"), first=2))
    store.get("top")
    with pytest.raises(UnavailableError):
        store.get("top")


def test_changes_of_too_little_data_do_no_harm() -> None:
    assert shorten(5)(b"abc") == b""
    assert flip(3)(b"abc") == b"abc"
    assert flip(-1, 0x20)(b"abc") == b"abC"
