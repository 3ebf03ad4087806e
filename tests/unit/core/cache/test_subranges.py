"""Reads of many queries through the cache of subranges: in batches, and each missing part once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from storegate.errors import CancelledError, DeadlineError, NotFoundError, UnavailableError
from storegate.query.call import Call
from storegate.reads import Read, Reader, new_arena
from storegate.testing.faults import Fault, FaultyStore, HoldingStore
from storegate.testing.memory_store import MemoryStore

from .conftest import BLOCK, CHUNKS, CONTENT, Cached, cached

Make = Callable[..., Any]
INDEX = f"{BLOCK}/index"
OBJECTS = {CHUNKS: CONTENT, INDEX: CONTENT}


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Of reads."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def side() -> Iterator[ThreadPoolExecutor]:
    """Of queries."""
    with ThreadPoolExecutor(120) as side:
        yield side


def a_read(offset: int, length: int, key: str = CHUNKS) -> Read:
    return Read(key, offset, new_arena(length))


def content(read: Read) -> bytes:
    return bytes(read.buffer[: read.got])


def reader(made: Cached, pool: ThreadPoolExecutor, *, local: bool = True, quick: bool = False) -> Reader:
    made.bucket.subranges.quick = local
    reader = Reader(made.store, pool, made.bucket.subranges)
    if quick:
        reader._seconds = 0.0
    return reader


class WatchedCall(Call):
    """A call that tells when it begins to wait."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.waits = threading.Event()

    def wait(self, event: threading.Event, timeout: float | None = None) -> bool:
        self.waits.set()
        return super().wait(event, timeout)


ways = pytest.mark.parametrize(
    ("local", "quick"), [(True, True), (True, False), (False, False)], ids=["here", "looked up here", "on the pool"]
)


@ways
def test_reads_of_a_batch_are_looked_up_together(pool: ThreadPoolExecutor, local: bool, quick: bool) -> None:
    made = cached(MemoryStore(OBJECTS))
    made.bucket.head(CHUNKS)
    made.cache.reads.clear()
    reads = [a_read(0, 20), a_read(60, 20), a_read(5, 5, INDEX), a_read(100, 30)]
    reader(made, pool, local=local, quick=quick).run(reads, Call())
    assert [content(read) for read in reads] == [CONTENT[:20], CONTENT[60:80], CONTENT[5:10], CONTENT[100:]]
    assert len(made.cache.reads) == 1


@ways
def test_what_is_cached_needs_no_request(pool: ThreadPoolExecutor, local: bool, quick: bool) -> None:
    made = cached(MemoryStore(OBJECTS))
    with_cache = reader(made, pool, local=local, quick=quick)
    with_cache.run([a_read(0, 105)], Call())
    made.asked()
    reads = [a_read(3, 20), a_read(50, 55)]
    with_cache.run(reads, Call())
    assert [content(read) for read in reads] == [CONTENT[3:23], CONTENT[50:]]
    assert made.asked() == []


def test_a_batch_that_a_local_cache_serves_is_done_when_it_begins(pool: ThreadPoolExecutor) -> None:
    made = cached(MemoryStore(OBJECTS))
    with_cache = reader(made, pool)
    with_cache.run([a_read(0, 105)], Call())
    assert with_cache.start([a_read(0, 50)], Call()).done


def test_reads_that_overlap_fetch_what_they_share_once(pool: ThreadPoolExecutor) -> None:
    made = cached(MemoryStore(OBJECTS))
    made.bucket.head(CHUNKS)
    reads = [a_read(0, 15), a_read(12, 20)]
    reader(made, pool).run(reads, Call())
    assert [content(read) for read in reads] == [CONTENT[:15], CONTENT[12:32]]
    assert sorted(made.ranges()) == [(0, 20), (20, 40)]


@ways
def test_an_object_that_nothing_is_known_of_is_asked_for_its_size(
    pool: ThreadPoolExecutor, local: bool, quick: bool
) -> None:
    made = cached(MemoryStore(OBJECTS))
    read = a_read(95, 30)
    reader(made, pool, local=local, quick=quick).run([read], Call())
    assert content(read) == CONTENT[95:]
    assert made.asked() == ["head", "get_range"]


@ways
def test_an_absent_object_is_not_found(pool: ThreadPoolExecutor, local: bool, quick: bool) -> None:
    made = cached(MemoryStore(OBJECTS))
    with pytest.raises(NotFoundError):
        reader(made, pool, local=local, quick=quick).run([a_read(0, 5), a_read(0, 5, f"{BLOCK}/chunks/000009")], Call())


def test_more_reads_than_run_at_once_all_come(pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reader, "AT_ONCE", 2)
    made = cached(MemoryStore(OBJECTS))
    reads = [a_read(10 * i, 5) for i in range(10)]
    reader(made, pool).run(reads, Call())
    assert [content(read) for read in reads] == [CONTENT[10 * i : 10 * i + 5] for i in range(10)]


# --- one flight ---


def held(operation: str = "get_range") -> tuple[Cached, HoldingStore]:
    inner = MemoryStore(OBJECTS)
    holding = HoldingStore(inner, operation=operation)
    made = cached(inner, store=holding)
    return made, holding


def begin(
    made: Cached, pool: ThreadPoolExecutor, side: ThreadPoolExecutor, reads: list[Read], **options: Any
) -> tuple[Any, WatchedCall]:
    call = WatchedCall()
    running = side.submit(reader(made, pool, **options).run, reads, call)
    assert call.waits.wait(10)
    return running, call


def test_a_hundred_equal_reads_cause_one_request(pool: ThreadPoolExecutor, side: ThreadPoolExecutor) -> None:
    made, holding = held()
    made.bucket.head(CHUNKS)
    made.asked()
    reads = [[a_read(0, 30), a_read(80, 20)] for _ in range(100)]
    running = [begin(made, pool, side, two)[0] for two in reads]
    holding.release()
    assert [one.exception(10) for one in running] == [None] * 100
    assert {(content(one), content(other)) for one, other in reads} == {(CONTENT[:30], CONTENT[80:100])}
    assert sorted(made.ranges()) == [(0, 30), (80, 100)]


def test_a_read_waits_for_what_others_fetch_and_fetches_the_rest(
    pool: ThreadPoolExecutor, side: ThreadPoolExecutor
) -> None:
    made, holding = held()
    made.bucket.head(CHUNKS)
    first, _ = begin(made, pool, side, [a_read(0, 30), a_read(90, 5)])
    reads = [a_read(15, 40), a_read(0, 5)]
    second, _ = begin(made, pool, side, reads)
    holding.release()
    assert (first.exception(10), second.exception(10)) == (None, None)
    assert [content(read) for read in reads] == [CONTENT[15:55], CONTENT[:5]]
    assert sorted(made.ranges()) == [(0, 30), (30, 60), (90, 100)]


def test_one_question_about_the_size_serves_all(pool: ThreadPoolExecutor, side: ThreadPoolExecutor) -> None:
    made, holding = held("head")
    running = [begin(made, pool, side, [a_read(0, 10), a_read(50, 10)])[0] for _ in range(4)]
    holding.release()
    assert [one.exception(10) for one in running] == [None] * 4
    assert made.asked().count("head") == 1


def test_what_a_cancelled_query_was_to_fetch_is_fetched_by_those_who_wait(
    side: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(1) as pool:
        made, holding = held()
        made.bucket.head(CHUNKS)
        made.asked()
        leader, call = begin(made, pool, side, [a_read(0, 10), a_read(50, 10)])  # the second read queues
        assert holding.reached.wait(10)
        reads = [a_read(50, 10), a_read(52, 3)]
        follower, _ = begin(made, pool, side, reads)
        call.cancel()
        assert isinstance(leader.exception(10), CancelledError)
        holding.release()
        assert follower.exception(10) is None
    assert [content(read) for read in reads] == [CONTENT[50:60], CONTENT[52:55]]


def test_each_waits_no_longer_than_its_own_deadline(pool: ThreadPoolExecutor, side: ThreadPoolExecutor) -> None:
    made, holding = held()
    made.bucket.head(CHUNKS)
    leader, _ = begin(made, pool, side, [a_read(0, 10), a_read(50, 10)])
    with pytest.raises(DeadlineError):
        reader(made, pool).run([a_read(0, 10), a_read(50, 10)], Call(deadline=time.monotonic() + 0.02))
    holding.release()
    assert leader.exception(10) is None


def test_an_error_of_the_store_reaches_all_who_wait(pool: ThreadPoolExecutor, side: ThreadPoolExecutor) -> None:
    inner = MemoryStore(OBJECTS)
    holding = HoldingStore(FaultyStore(inner, Fault(operation="get_range", error=UnavailableError("away"), times=2)))
    made = cached(inner, store=holding)
    made.bucket._known.learn(inner.head(CHUNKS))
    running = [begin(made, pool, side, [a_read(0, 10), a_read(50, 10)])[0] for _ in range(5)]
    holding.release()
    assert [str(one.exception(10)) for one in running] == ["away"] * 5
    assert made.store.count("get_range") == 2


def test_after_a_failure_everything_can_be_read_again(pool: ThreadPoolExecutor) -> None:
    inner = MemoryStore(OBJECTS)
    fault = Fault(operation="get_range", error=UnavailableError("away"), times=1)
    made = cached(inner, store=FaultyStore(inner, fault))
    with_cache = reader(made, pool)
    with pytest.raises(UnavailableError):
        with_cache.run([a_read(0, 10), a_read(50, 10), a_read(70, 10)], Call())
    reads = [a_read(0, 10), a_read(50, 10), a_read(70, 10)]
    with_cache.run(reads, Call())
    assert [content(read) for read in reads] == [CONTENT[:10], CONTENT[50:60], CONTENT[70:80]]


def test_an_event_loop_reads_for_itself_instead_of_waiting(pool: ThreadPoolExecutor, side: ThreadPoolExecutor) -> None:
    made, holding = held()
    made.bucket.head(CHUNKS)
    leader, _ = begin(made, pool, side, [a_read(0, 10), a_read(50, 10)])
    assert holding.reached.wait(10)
    direct = Reader(made.inner, pool, made.bucket.subranges)
    read = a_read(5, 20)

    async def step() -> None:
        direct.run([read], Call())

    asyncio.run(asyncio.wait_for(step(), 10))
    assert content(read) == CONTENT[5:25]
    holding.release()
    assert leader.exception(10) is None


def test_what_landed_between_the_lookup_and_the_fetch_is_not_fetched_again(pool: ThreadPoolExecutor) -> None:
    made = cached(MemoryStore(OBJECTS))
    made.bucket.head(CHUNKS)
    other = reader(made, pool)
    get_many = made.cache.get_many

    def late(keys: Any) -> dict[str, bytes]:
        found = get_many(keys)
        made.cache.get_many = get_many  # type: ignore[method-assign]
        other.run([a_read(0, 30)], Call())
        return found

    made.cache.get_many = late  # type: ignore[method-assign]
    read = a_read(10, 10)
    reader(made, pool).run([read], Call())
    assert content(read) == CONTENT[10:20]
    assert made.ranges() == [(0, 30)]
