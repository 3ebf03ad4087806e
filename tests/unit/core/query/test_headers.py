"""Index-headers that are loaded when queries first need them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from storegate.errors import CancelledError, CorruptError, DeadlineError, UnavailableError
from storegate.query.call import Call
from storegate.query.headers import HeaderLoads


class FakeBlock:
    """Its header loads once the test lets it."""

    def __init__(self, ulid: str, outcome: Callable[[], None] = lambda: None) -> None:
        self.meta = SimpleNamespace(ulid=ulid)
        self.begun = threading.Event()
        self.go = threading.Event()
        self.loads = 0
        self._outcome = outcome

    def load_header(self) -> None:
        self.loads += 1
        self.begun.set()
        assert self.go.wait(10)
        self._outcome()


class WatchedCall(Call):
    """A call that tells when it begins to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = threading.Event()

    def wait(self, event: threading.Event, timeout: float | None = None) -> bool:
        self.waits.set()
        return super().wait(event, timeout)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def side() -> Iterator[ThreadPoolExecutor]:
    """Threads of queries."""
    with ThreadPoolExecutor(4) as side:
        yield side


@pytest.fixture
def loads(pool: ThreadPoolExecutor) -> Any:
    return HeaderLoads(pool)


def test_headers_are_loaded_side_by_side(loads: Any, side: ThreadPoolExecutor) -> None:
    blocks = [FakeBlock("A"), FakeBlock("B")]
    done = side.submit(loads.load, blocks, Call())
    assert all(block.begun.wait(10) for block in blocks)
    for block in blocks:
        block.go.set()
    assert done.exception(10) is None


def test_a_header_that_two_queries_need_is_loaded_once(loads: Any, side: ThreadPoolExecutor) -> None:
    block = FakeBlock("A")
    calls = [WatchedCall(), WatchedCall()]
    done = [side.submit(loads.load, [block], call) for call in calls]
    assert all(call.waits.wait(10) for call in calls)
    block.go.set()
    assert [one.exception(10) for one in done] == [None, None]
    assert block.loads == 1


def test_cancelling_ends_the_wait_for_a_load(loads: Any, side: ThreadPoolExecutor) -> None:
    block, call = FakeBlock("A"), Call()
    done = side.submit(loads.load, [block], call)
    assert block.begun.wait(10)
    call.cancel()
    assert isinstance(done.exception(10), CancelledError)
    block.go.set()


def test_the_deadline_ends_the_wait_for_a_load(loads: Any) -> None:
    block = FakeBlock("A")
    with pytest.raises(DeadlineError):
        loads.load([block], Call(deadline=time.monotonic() + 0.02))
    block.go.set()


def test_loads_of_a_cancelled_query_that_have_not_begun_are_left_out(loads: Any, side: ThreadPoolExecutor) -> None:
    blocks, call = [FakeBlock(name) for name in "ABC"], Call()
    done = side.submit(loads.load, blocks, call)
    assert all(block.begun.wait(10) for block in blocks[:2])
    call.cancel()
    assert isinstance(done.exception(10), CancelledError)
    for block in blocks:
        block.go.set()
    loads.load([], Call())
    side.submit(loads.load, [blocks[0]], Call()).result(10)
    assert blocks[2].loads == 0


def test_who_waited_for_a_load_that_was_left_out_begins_it(loads: Any, side: ThreadPoolExecutor) -> None:
    blocks, first, second = [FakeBlock(name) for name in "ABC"], Call(), WatchedCall()
    cancelled = side.submit(loads.load, blocks, first)
    assert all(block.begun.wait(10) for block in blocks[:2])
    other = side.submit(loads.load, [blocks[2]], second)
    assert second.waits.wait(10)
    first.cancel()
    assert isinstance(cancelled.exception(10), CancelledError)
    for block in blocks:
        block.go.set()
    assert other.exception(10) is None
    assert blocks[2].loads == 1


def test_a_load_that_fails_is_over_too(loads: Any, side: ThreadPoolExecutor) -> None:
    def fail() -> None:
        raise CorruptError("damage")

    block = FakeBlock("A", fail)
    block.go.set()
    loads.load([block], Call())
    assert block.loads == 1


def test_a_pool_that_is_shut_down_loads_nothing(loads: Any, pool: ThreadPoolExecutor) -> None:
    pool.shutdown()
    with pytest.raises(UnavailableError, match="the gateway stops"):
        loads.load([FakeBlock("A")], Call())
