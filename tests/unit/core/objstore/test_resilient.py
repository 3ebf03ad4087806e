"""Requests that bear with a store, and the chain that every store gets."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from storegate import (
    DeadlineError,
    DeniedError,
    ListPage,
    NotFoundError,
    ObjectInfo,
    ThrottledError,
    UnavailableError,
)
from storegate.config.settings import HedgingSettings
from storegate.objstore.resilience_metrics import ResilienceMetrics
from storegate.objstore.resilient import ResilientStore
from storegate.objstore.retries import RetryPolicy
from storegate.query.call import Call, working_for
from storegate.testing.faults import CountingStore, Fault, FaultyStore, HoldingStore, shorten
from storegate.testing.memory_store import MemoryStore
from storegate.types import ObjectStore

QUICK = RetryPolicy(first_pause=0.0001, longest_pause=0.0005)
DOWN = UnavailableError("the store is down")
DATA = bytes(range(256))

CALLS: dict[str, Callable[[ObjectStore], Any]] = {
    "list": lambda store: [info.key for info in store.list()],
    "head": lambda store: store.head("key").size,
    "get": lambda store: store.get("key"),
    "get_range": lambda store: store.get_range("key", 10, 20),
    "put": lambda store: store.put("new", b"x"),
    "delete": lambda store: store.delete("key"),
}


def resilient(
    inner: ObjectStore,
    policy: RetryPolicy = QUICK,
    hedging: HedgingSettings | None = None,
    registry: CollectorRegistry | None = None,
) -> ResilientStore:
    return ResilientStore(inner, policy, ResilienceMetrics(registry or CollectorRegistry()), hedging)


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("error", [DOWN, ThrottledError("slow down")])
def test_what_fails_twice_is_asked_for_three_times(operation: str, error: UnavailableError) -> None:
    counting = CountingStore(FaultyStore(MemoryStore({"key": DATA}), Fault(operation=operation, times=2, error=error)))
    expected = CALLS[operation](MemoryStore({"key": DATA}))
    assert CALLS[operation](resilient(counting)) == expected
    assert counting.count(operation) == 3


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("error", [DeniedError("no"), NotFoundError("gone")])
def test_what_waiting_does_not_mend_is_raised_at_once(operation: str, error: Exception) -> None:
    counting = CountingStore(FaultyStore(MemoryStore({"key": DATA}), Fault(operation=operation, error=error)))
    with pytest.raises(type(error)):
        CALLS[operation](resilient(counting))
    assert counting.count(operation) == 1


@pytest.mark.parametrize("operation", CALLS)
def test_a_store_that_stays_down_is_given_up(operation: str) -> None:
    counting = CountingStore(FaultyStore(MemoryStore({"key": DATA}), Fault(operation=operation, error=DOWN)))
    with pytest.raises(UnavailableError, match=r"after 10 attempts"):
        CALLS[operation](resilient(counting))
    assert counting.count(operation) == 10


def test_a_range_that_was_cut_off_is_read_again() -> None:
    faulty = FaultyStore(MemoryStore({"key": DATA}), Fault(operation="get_range", times=2, change=shorten(5)))
    buffer = bytearray(50)
    assert resilient(faulty).read_into("key", 100, memoryview(buffer)) == 50
    assert buffer == DATA[100:150]


def test_a_delete_that_was_done_before_it_failed_is_no_error() -> None:
    class Forgetful(MemoryStore):
        def delete(self, key: str) -> None:
            super().delete(key)
            raise DOWN

    inner = Forgetful({"key": DATA})
    resilient(inner).delete("key")
    assert list(inner.list()) == []


def test_retries_are_counted_by_operation_and_reason() -> None:
    registry = CollectorRegistry()
    faulty = FaultyStore(
        MemoryStore({"key": DATA}),
        Fault(operation="get", times=2, error=DOWN),
        Fault(operation="head", times=1, error=ThrottledError("slow down")),
    )
    store = resilient(faulty, registry=registry)
    store.get("key")
    store.head("key")

    def retries(operation: str, reason: str) -> float | None:
        labels = {"bucket": "memory", "operation": operation, "reason": reason}
        return registry.get_sample_value("storegate_objstore_retries_total", labels)

    assert (retries("get", "unavailable"), retries("attributes", "throttled")) == (2, 1)


def test_closing_ends_the_pauses() -> None:
    store = resilient(FaultyStore(MemoryStore(), Fault(error=DOWN)), RetryPolicy(first_pause=60.0, longest_pause=60.0))
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(store.get, "key")
        while not store._waits._events:
            time.sleep(0.001)
        store.close()
        with pytest.raises(UnavailableError, match="the gateway stops"):
            reading.result(60)


def test_a_query_is_not_held_past_its_deadline_by_pauses() -> None:
    store = resilient(FaultyStore(MemoryStore(), Fault(error=DOWN)), RetryPolicy(first_pause=3.0, longest_pause=3.0))
    started = time.monotonic()
    with working_for(Call(deadline=started + 0.05)), pytest.raises((UnavailableError, DeadlineError)):
        store.get("key")
    assert time.monotonic() - started < 1.0


def test_many_threads_find_the_pace_of_a_store_that_throttles() -> None:
    class FourAtOnce(MemoryStore):
        def __init__(self) -> None:
            super().__init__({"key": DATA})
            self._lock, self._free, self.throttled = threading.Lock(), 4, 0

        def get(self, key: str) -> bytes:
            with self._lock:
                if self._free == 0:
                    self.throttled += 1
                    raise ThrottledError("slow down")
                self._free -= 1
            time.sleep(0.001)
            with self._lock:
                self._free += 1
            return super().get(key)

    inner = FourAtOnce()
    store = resilient(inner)
    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(lambda _: store.get("key") == DATA, range(1000)))
    assert inner.throttled < 500  # without a common pace most requests are, and some are given up


# --- listings ---------------------------------------------------------------------------------------------------------


class Paged(MemoryStore):
    """Lists in pages; `fails(n)` says whether the page request of this number, from 0, fails."""

    def __init__(self, keys: Sequence[str], size: int, fails: Callable[[int], bool]) -> None:
        super().__init__(dict.fromkeys(keys, b""))
        self.asked: list[str | None] = []
        self._size, self._fails = size, fails

    def list_page(self, prefix: str, token: str | None, *, recursive: bool) -> ListPage:
        self.asked.append(token)
        if self._fails(len(self.asked) - 1):
            raise DOWN
        entries = [info for info in super().list(prefix, recursive=recursive) if token is None or info.key > token]
        page = entries[: self._size]
        return ListPage(entries=page, token=page[-1].key if len(entries) > len(page) else None)


class Breaking(MemoryStore):
    """Raises in the middle of its listings, after as many entries as `lengths` says, one after another."""

    def __init__(self, keys: Sequence[str], lengths: Sequence[int]) -> None:
        super().__init__(dict.fromkeys(keys, b""))
        self._lengths = iter(lengths)

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        length = next(self._lengths, None)
        yield from itertools.islice(super().list(prefix, recursive=recursive), length)
        if length is not None:
            raise DOWN


keys = st.lists(st.text("ab/-é", min_size=1).map(lambda text: text.strip("/") or "x"), unique=True)


def listed(store: ObjectStore, *, recursive: bool) -> list[str]:
    return [info.key for info in store.list(recursive=recursive)]


@given(keys, st.integers(1, 5), st.sets(st.integers(0, 20), max_size=8), st.booleans())
def test_pages_that_fail_lose_and_repeat_nothing(names: list[str], size: int, bad: set[int], recursive: bool) -> None:
    paged = Paged(names, size, lambda number: number in bad)
    expected = listed(MemoryStore(dict.fromkeys(names, b"")), recursive=recursive)
    assert listed(resilient(paged, RetryPolicy(20, 0.0)), recursive=recursive) == expected


@given(keys, st.lists(st.integers(0, 10), max_size=8), st.booleans())
def test_listings_that_break_lose_and_repeat_nothing(names: list[str], lengths: list[int], recursive: bool) -> None:
    breaking = Breaking(names, lengths)
    expected = listed(MemoryStore(dict.fromkeys(names, b"")), recursive=recursive)
    assert listed(resilient(breaking, RetryPolicy(20, 0.0)), recursive=recursive) == expected


def test_only_the_page_that_failed_is_asked_for_again() -> None:
    paged = Paged([str(number) for number in range(9)], 3, lambda number: number == 1)
    assert listed(resilient(paged), recursive=True) == [str(number) for number in range(9)]
    assert paged.asked == [None, "2", "2", "5"]


def test_a_listing_may_break_more_often_than_a_request_while_it_gets_on() -> None:
    names = [f"{number:02}" for number in range(30)]
    assert listed(resilient(Breaking(names, range(1, 30))), recursive=True) == names


def test_a_listing_that_gets_nowhere_is_given_up() -> None:
    with pytest.raises(UnavailableError, match="after 10 attempts"):
        listed(resilient(Breaking(["a", "b"], [1] * 100)), recursive=True)


def test_requests_can_be_sent_while_a_listing_is_read_from_a_store_that_throttles() -> None:
    inner = MemoryStore({"a": b"1", "b": b"2"})
    faulty = FaultyStore(inner, Fault(operation="get", times=1, error=ThrottledError("slow down")))
    store = resilient(faulty)
    assert [store.get(info.key) for info in store.list()] == [b"1", b"2"]


# --- hedging ----------------------------------------------------------------------------------------------------------


def teach(store: ResilientStore) -> None:
    """Let the store see enough quick reads."""
    for _ in range(64):
        store.get_range("key", 0, 100)


def test_a_stalled_read_is_answered_by_another_request() -> None:
    stalls = threading.Event()
    held = HoldingStore(MemoryStore({"key": DATA}), operation="get_range")

    class FirstStalls(MemoryStore):
        def get_range(self, key: str, offset: int, length: int) -> bytes:
            if stalls.is_set():
                stalls.clear()
                return held.get_range(key, offset, length)
            return super().get_range(key, offset, length)

    registry = CollectorRegistry()
    hedging = HedgingSettings(enabled=True, up_to=2, quantile=0.9)
    store = resilient(FirstStalls({"key": DATA}), hedging=hedging, registry=registry)
    teach(store)
    stalls.set()
    buffer = bytearray(100)
    try:
        assert store.read_into("key", 0, memoryview(buffer)) == 100
        assert buffer == DATA[:100]
        buffer[:] = b"." * 100
    finally:
        held.release()
        store.close()
    assert store._pool is not None
    store._pool.shutdown(wait=True)  # the loser has ended
    assert buffer == b"." * 100
    won = registry.get_sample_value("storegate_objstore_hedged_requests_won_total", {"bucket": "memory"})
    assert (won or 0) >= 1


def test_hedging_that_is_not_enabled_starts_no_thread() -> None:
    threads: set[int] = set()

    class Noting(MemoryStore):
        def get_range(self, key: str, offset: int, length: int) -> bytes:
            threads.add(threading.get_ident())
            return super().get_range(key, offset, length)

    store = resilient(Noting({"key": DATA}), hedging=HedgingSettings(enabled=False))
    store.read_into("key", 0, memoryview(bytearray(10)))
    assert threads == {threading.get_ident()}


def test_a_hedged_read_that_fails_is_tried_again() -> None:
    faulty = FaultyStore(MemoryStore({"key": DATA}), Fault(operation="get_range", times=3, error=DOWN))
    store = resilient(faulty, hedging=HedgingSettings(enabled=True))
    assert store.get_range("key", 5, 5) == DATA[5:10]
    store.close()
