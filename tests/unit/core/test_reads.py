"""Reads of byte ranges, alone and many at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from storegate.errors import CancelledError, DeadlineError, NotFoundError, UnavailableError
from storegate.query.call import Call
from storegate.reads import Batch, Read, Reader, new_arena
from storegate.testing.faults import CountingStore, Fault, FaultyStore, HoldingStore, Request, WrappedStore
from storegate.testing.memory_store import MemoryStore

OBJECTS = {"a": b"0123456789", "b": b"abcdefghij"}


class Threads(WrappedStore):
    """Remembers which threads asked."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.seen: set[int] = set()

    def call(self, request: Request, inner: Callable[[], bytes]) -> bytes:
        self.seen.add(threading.get_ident())
        return super().call(request, inner)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(OBJECTS)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def a_read(key: str = "a", offset: int = 0, length: int = 4) -> Read:
    return Read(key, offset, new_arena(length))


def taught(reader: Reader, store: Any, reads: int = 100) -> Reader:
    """A reader that has seen what a quick store takes."""
    for _ in range(reads):
        reader.run([a_read()], Call())
    return reader


# --- reading ---


def test_an_arena_has_the_size_asked_for() -> None:
    assert len(new_arena(5)) == 5


def test_a_read_fills_its_buffer(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    read = a_read("b", 2, 3)
    Reader(store, pool).run([read], Call())
    assert (read.buffer.tobytes(), read.got) == (b"cde", 3)


def test_a_read_past_the_end_gets_what_there_is(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    read = a_read("a", 8, 5)
    Reader(store, pool).run([read], Call())
    assert (read.buffer[: read.got].tobytes(), read.got) == (b"89", 2)


def test_a_store_that_fills_buffers_is_let_do_so(pool: ThreadPoolExecutor, store: MemoryStore) -> None:
    wrapped = CountingStore(store)
    Reader(wrapped, pool).run([a_read()], Call())
    assert wrapped.requests() == (Request("get_range", "a", 0, 4),)


def test_several_reads_all_come(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    reads = [a_read("a", i, 1) for i in range(10)]
    Reader(store, pool).run(reads, Call())
    assert b"".join(read.buffer.tobytes() for read in reads) == OBJECTS["a"]


def test_no_reads_are_done_at_once(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    Reader(store, pool).run([], Call())


def test_a_batch_of_no_reads_is_done(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    Reader(store, pool).start([], Call()).wait(Call())


@pytest.mark.parametrize("count", [1, 2])
def test_reads_of_an_unknown_store_go_to_the_pool(store: MemoryStore, pool: ThreadPoolExecutor, count: int) -> None:
    threads = Threads(store)
    Reader(threads, pool).run([a_read() for _ in range(count)], Call())
    assert threading.get_ident() not in threads.seen


@pytest.mark.parametrize("count", [1, 2])
def test_reads_of_a_quick_store_are_done_by_the_caller(
    store: MemoryStore, pool: ThreadPoolExecutor, count: int
) -> None:
    threads = Threads(store)
    reader = taught(Reader(threads, pool), threads)
    threads.seen.clear()
    reader.run([a_read() for _ in range(count)], Call())
    assert threads.seen == {threading.get_ident()}


def test_reads_of_a_slow_store_wait_side_by_side(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    barrier = threading.Barrier(4, timeout=10)

    class Meeting(WrappedStore):
        def call(self, request: Request, inner: Callable[[], bytes]) -> bytes:
            barrier.wait()
            return inner()

    Reader(Meeting(store), pool).run([a_read() for _ in range(4)], Call())


@pytest.mark.parametrize("count", [1, 2])
def test_a_read_that_stalls_does_not_hold_a_call_past_its_deadline(
    store: MemoryStore, pool: ThreadPoolExecutor, count: int
) -> None:
    holding = HoldingStore(store)
    with pytest.raises(DeadlineError):
        Reader(holding, pool).run([a_read() for _ in range(count)], Call(deadline=time.monotonic() + 0.02))
    holding.release()


# --- what is known of the store ---


def test_an_unknown_store_is_not_taken_for_quick(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    reader = Reader(store, pool)
    assert (reader.immediate, reader.quick(1), reader.quick_lookup) == (False, False, False)


def test_a_store_is_found_to_be_quick(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    reader = taught(Reader(store, pool), store)
    assert (reader.immediate, reader.quick(1)) == (True, True)


def test_many_reads_of_a_quick_store_are_not_quick(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    reader = taught(Reader(store, pool), store)
    assert not reader.quick(10**9)


def test_a_cache_is_found_to_be_quick(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    reader = Reader(store, pool)
    for _ in range(20):
        reader.looked_up(0.00001)
    assert reader.quick_lookup


def test_a_cache_is_found_to_be_slow_again(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    reader = Reader(store, pool)
    for seconds in [0.00001] * 20 + [0.05]:
        reader.looked_up(seconds)
    assert not reader.quick_lookup


# --- errors and ends ---


def test_more_reads_than_run_at_once_all_come(
    store: MemoryStore, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "AT_ONCE", 2)
    reads = [a_read() for _ in range(20)]
    Reader(store, pool).run(reads, Call())
    assert [read.got for read in reads] == [len(read.buffer) for read in reads]


def test_a_query_of_many_reads_lets_others_have_their_turn(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reader, "AT_ONCE", 2)
    holding, order = HoldingStore(store), []

    class Listed(WrappedStore):
        def call(self, request: Request, inner: Callable[[], bytes]) -> bytes:
            order.append(request.key)
            return inner()

    with ThreadPoolExecutor(1) as pool:
        reader = Reader(Listed(holding), pool)
        many = reader.start([a_read("a") for _ in range(10)], Call())
        assert holding.reached.wait(10)
        few = reader.start([a_read("b"), a_read("b")], Call())
        holding.release()
        few.wait(Call())
        many.wait(Call())
    assert order.index("b") < 5
    assert order.count("a") == 10


def test_the_error_of_a_read_is_raised(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    with pytest.raises(NotFoundError, match="nothing"):
        Reader(store, pool).run([a_read(), a_read("nothing")], Call())


def test_the_first_error_is_the_one_that_is_raised() -> None:
    batch = Batch(3)
    for error in (None, UnavailableError("first"), UnavailableError("second")):
        batch.finished(error)
    with pytest.raises(UnavailableError, match="first"):
        batch.wait(Call())


def test_an_error_ends_the_wait_for_the_others(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    holding = HoldingStore(store, key="a")
    with pytest.raises(NotFoundError):
        Reader(holding, pool).run([a_read("a"), a_read("nothing")], Call())
    holding.release()


def test_reads_that_have_not_begun_are_left_out_after_an_error(store: MemoryStore) -> None:
    counting = CountingStore(store)
    with ThreadPoolExecutor(1) as pool:
        batch = Reader(counting, pool).start([a_read("nothing"), *(a_read() for _ in range(9))], Call())
    with pytest.raises(NotFoundError):
        batch.wait(Call())
    assert counting.count() == 1


def test_an_error_that_is_no_storegate_error_comes_through(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    faulty = FaultyStore(store, Fault(error=RuntimeError("unforeseen")))
    with pytest.raises(RuntimeError, match="unforeseen"):
        Reader(faulty, pool).run([a_read(), a_read()], Call())


def test_cancelling_ends_the_wait_for_reads(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    holding, call = HoldingStore(store), Call()
    reader = Reader(holding, pool)
    running = pool.submit(reader.run, [a_read(), a_read()], call)
    assert holding.reached.wait(10)
    call.cancel()
    assert isinstance(running.exception(10), CancelledError)
    holding.release()


def test_reads_of_a_cancelled_call_are_not_done(store: MemoryStore, pool: ThreadPoolExecutor) -> None:
    counting, call = CountingStore(store), Call()
    call.cancel()
    with pytest.raises(CancelledError):
        Reader(counting, pool).run([a_read()], call)
    assert counting.count() == 0
