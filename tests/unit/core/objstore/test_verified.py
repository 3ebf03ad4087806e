"""Ranges whose length is checked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storegate import NotFoundError, UnavailableError
from storegate.objstore.verified import VerifiedStore
from storegate.testing.faults import CountingStore, Fault, FaultyStore, shorten
from storegate.testing.memory_store import MemoryStore

DATA = bytes(range(100))
Read = Callable[[VerifiedStore, int, int], bytes]


def by_range(store: VerifiedStore, offset: int, length: int) -> bytes:
    return store.get_range("key", offset, length)


def by_buffer(store: VerifiedStore, offset: int, length: int) -> bytes:
    buffer = bytearray(length)
    got = store.read_into("key", offset, memoryview(buffer))
    return bytes(buffer[:got])


either_way = pytest.mark.parametrize("read", [by_range, by_buffer])


@either_way
@pytest.mark.parametrize(("offset", "length"), [(0, 100), (90, 20), (100, 5), (200, 5), (3, 0)])
def test_an_answer_that_ends_with_its_object_is_right(read: Read, offset: int, length: int) -> None:
    assert read(VerifiedStore(MemoryStore({"key": DATA})), offset, length) == DATA[offset : offset + length]


@either_way
@pytest.mark.parametrize(("offset", "length"), [(0, 50), (95, 50), (0, 100)])
def test_an_answer_that_was_cut_off_is_an_error(read: Read, offset: int, length: int) -> None:
    store = VerifiedStore(FaultyStore(MemoryStore({"key": DATA}), Fault(operation="get_range", change=shorten())))
    with pytest.raises(UnavailableError, match=r"bytes came of 'key' at \d+, there are \d+"):
        read(store, offset, length)


def test_an_answer_that_is_too_long_is_an_error() -> None:
    store = VerifiedStore(FaultyStore(MemoryStore({"key": DATA}), Fault(change=lambda data: data + b"!")))
    with pytest.raises(UnavailableError, match="11 bytes came of 'key' at 5, 10 were asked for"):
        store.get_range("key", 5, 10)


def test_a_full_answer_costs_no_request() -> None:
    counting = CountingStore(MemoryStore({"key": DATA}))
    VerifiedStore(counting).get_range("key", 0, 10)
    assert counting.count() == 1


def test_the_end_of_an_object_is_asked_for_once() -> None:
    counting = CountingStore(MemoryStore({"key": DATA}))
    store = VerifiedStore(counting)
    for offset in (50, 90, 99):
        store.get_range("key", offset, 100)
    assert counting.count("head") == 1


def test_an_object_that_was_replaced_is_asked_for_again() -> None:
    inner = MemoryStore({"key": DATA})
    store = VerifiedStore(inner)
    store.get_range("key", 50, 100)
    inner.put("key", DATA[:70])
    assert store.get_range("key", 50, 100) == DATA[50:70]


def test_a_short_answer_of_an_object_that_vanished_is_not_found() -> None:
    inner = MemoryStore({"key": DATA})

    def vanish(data: bytes) -> bytes:
        inner.delete("key")
        return data[:1]

    with pytest.raises(NotFoundError):
        VerifiedStore(FaultyStore(inner, Fault(change=vanish))).get_range("key", 0, 10)
