"""The steps of several blocks side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from storegate.errors import CancelledError, CorruptError
from storegate.query.call import Call
from storegate.reads import Read, Reader, new_arena
from storegate.steps import Fetcher, Lookup, Work
from storegate.testing.faults import Request, WrappedStore
from storegate.testing.memory_store import MemoryStore

OBJECTS = {"a": b"0123456789", "b": b"abcdefghij"}


class CountingCache:
    """A cache that counts its calls."""

    local = True

    def __init__(self, items: Mapping[str, bytes]) -> None:
        self.items = items
        self.asked: list[list[str]] = []

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        self.asked.append(list(keys))
        return {key: self.items[key] for key in keys if key in self.items}

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        raise AssertionError("nothing is kept here")

    def close(self) -> None:
        pass


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(OBJECTS)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def a_read(key: str = "a", offset: int = 0, length: int = 4) -> Read:
    return Read(key, offset, new_arena(length))


def looking_up(*keys: str) -> Work[dict[str, bytes]]:
    found = yield Lookup(list(keys))
    return {key: found[key] for key in keys if key in found}


def reading(*reads: Read) -> Work[list[bytes]]:
    yield list(reads)
    return [read.buffer.tobytes() for read in reads]


def giving(value: Any) -> Work[Any]:
    return value
    yield


def failing(error: Exception, steps: int = 0) -> Work[None]:
    for _ in range(steps):
        yield Lookup(["k"])
    raise error


@pytest.fixture
def cache() -> CountingCache:
    return CountingCache({"k": b"1", "l": b"2"})


@pytest.fixture
def fetcher(store: MemoryStore, pool: ThreadPoolExecutor, cache: CountingCache) -> Fetcher:
    return Fetcher(Reader(store, pool), cache, Call())


def test_work_that_needs_nothing_gives_its_value(fetcher: Fetcher) -> None:
    assert fetcher.drive([("A", giving(1)), ("B", giving(2))]) == [1, 2]


def test_no_work_gives_nothing(fetcher: Fetcher) -> None:
    assert fetcher.drive([]) == []


def test_values_come_in_the_order_of_the_works(fetcher: Fetcher) -> None:
    works: list[Any] = [("A", looking_up("k")), ("B", giving(2)), ("C", reading(a_read()))]
    assert fetcher.drive(works) == [{"k": b"1"}, 2, [b"0123"]]


def test_lookups_of_all_blocks_are_one_call(fetcher: Fetcher, cache: CountingCache) -> None:
    fetcher.drive([("A", looking_up("k", "m")), ("B", looking_up("l"))])
    assert cache.asked == [["k", "m", "l"]]


def test_keys_that_are_absent_are_left_out(fetcher: Fetcher) -> None:
    assert fetcher.drive([("A", looking_up("k", "m"))]) == [{"k": b"1"}]


def test_reads_of_all_blocks_wait_side_by_side(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    barrier = threading.Barrier(2, timeout=10)

    class Meeting(WrappedStore):
        def call(self, request: Request, inner: Callable[[], bytes]) -> bytes:
            barrier.wait()
            return inner()

    fetcher = Fetcher(Reader(Meeting(store), pool), None, Call())
    assert fetcher.drive([("A", reading(a_read("a"))), ("B", reading(a_read("b")))]) == [[b"0123"], [b"abcd"]]


def test_a_round_serves_lookups_and_reads(fetcher: Fetcher, cache: CountingCache) -> None:
    works: list[Any] = [("A", looking_up("k")), ("B", reading(a_read())), ("C", looking_up("l"))]
    fetcher.drive(works)
    assert len(cache.asked) == 1


def test_without_a_cache_nothing_is_found(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    assert Fetcher(Reader(store, pool), None, Call()).drive([("A", looking_up("k"))]) == [{}]


def test_without_lookups_the_cache_is_not_asked(fetcher: Fetcher, cache: CountingCache) -> None:
    fetcher.drive([("A", reading(a_read()))])
    assert cache.asked == []


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_an_error_is_given_the_name_of_its_block(fetcher: Fetcher, steps: int) -> None:
    error = CorruptError("damage")
    with pytest.raises(CorruptError) as raised:
        fetcher.drive([("A", looking_up("k")), ("B", failing(error, steps))])
    assert raised.value.block == "B"


def test_an_error_that_names_a_block_keeps_it(fetcher: Fetcher) -> None:
    error = CorruptError("damage")
    error.block = "C"
    with pytest.raises(CorruptError) as raised:
        fetcher.drive([("B", failing(error))])
    assert raised.value.block == "C"


def test_a_cancelled_call_begins_no_work(fetcher: Fetcher) -> None:
    begun = []

    def work() -> Work[None]:
        begun.append(1)
        yield Lookup(["k"])

    fetcher.call.cancel()
    with pytest.raises(CancelledError):
        fetcher.drive([("A", work())])
    assert begun == []


def test_a_call_that_is_cancelled_on_the_way_asks_for_nothing_more(fetcher: Fetcher, cache: CountingCache) -> None:
    def work() -> Work[None]:
        yield Lookup(["k"])
        fetcher.call.cancel()
        yield Lookup(["l"])

    with pytest.raises(CancelledError):
        fetcher.drive([("A", work())])
    assert cache.asked == [["k"]]


def test_what_a_lookup_takes_is_measured(fetcher: Fetcher) -> None:
    for _ in range(50):
        fetcher.drive([("A", looking_up("k"))])
    assert fetcher.reader.quick_lookup


def test_a_quick_fetcher_needs_a_quick_cache_and_a_quick_store(fetcher: Fetcher, store: MemoryStore) -> None:
    fetcher.reader.run([a_read() for _ in range(100)], Call())
    before = fetcher.quick(1)
    for _ in range(50):
        fetcher.drive([("A", looking_up("k"))])
    assert (before, fetcher.quick(1)) == (False, True)
