"""Slowing down together when a store throttles."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from storegate import DeadlineError, ThrottledError, UnavailableError
from storegate.objstore.pacing import UNLIMITED, Pacer
from storegate.objstore.waits import Waits
from storegate.query.call import Call, working_for

THROTTLED = ThrottledError("slow down")
SECONDS = 60.0


@pytest.fixture
def limits() -> list[float]:
    """What the pacer tells."""
    return []


@pytest.fixture
def pacer(limits: list[float]) -> Pacer:
    return Pacer(Waits(), limits.append)


def throttle(pacer: Pacer, under_way: int) -> list[int]:
    """So many requests are sent, and one is throttled; the others are still under way."""
    entered = [pacer.enter() for _ in range(under_way)]
    pacer.leave(entered.pop(), THROTTLED)
    return entered


def test_without_throttling_there_is_no_limit(pacer: Pacer, limits: list[float]) -> None:
    for number in [pacer.enter() for _ in range(1000)]:
        pacer.leave(number, None)
    assert (pacer.throttled, limits) == (False, [])


def test_throttling_halves_what_may_be_under_way(pacer: Pacer, limits: list[float]) -> None:
    throttle(pacer, 16)
    assert (pacer.throttled, limits) == (True, [8.0])


def test_answers_to_requests_sent_before_do_not_halve_it_again(pacer: Pacer, limits: list[float]) -> None:
    for number in throttle(pacer, 16):
        pacer.leave(number, THROTTLED)
    assert limits == [8.0]


def test_throttling_that_goes_on_ends_at_one_request(pacer: Pacer, limits: list[float]) -> None:
    for number in throttle(pacer, 16):
        pacer.leave(number, None if limits[-1] > 8 else UnavailableError("down"))
    for _ in range(6):
        pacer.leave(pacer.enter(), THROTTLED)
    assert limits[-1] == 1.0


def test_success_raises_the_limit_until_there_is_none(pacer: Pacer, limits: list[float]) -> None:
    for number in throttle(pacer, 8):
        pacer.leave(number, UnavailableError("down"))
    while pacer.throttled:
        pacer.leave(pacer.enter(), None)
    assert limits == sorted(limits)
    assert (limits[0], limits[-1]) == (4.0, UNLIMITED)


def test_a_failure_that_is_no_throttling_changes_nothing(pacer: Pacer, limits: list[float]) -> None:
    throttle(pacer, 8)
    pacer._under_way = 0
    pacer.leave(pacer.enter(), UnavailableError("down"))
    assert limits == [4.0]


def test_requests_above_the_limit_wait_for_their_turn(pacer: Pacer) -> None:
    (running,) = throttle(pacer, 2)  # the limit is 1
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(pacer.enter)
        while not pacer._queue:
            time.sleep(0.001)
        assert not waiting.done()
        pacer.leave(running, None)
        assert waiting.result(SECONDS) == 1


def test_a_turn_that_nobody_takes_any_more_goes_to_the_next(pacer: Pacer) -> None:
    (running,) = throttle(pacer, 2)
    with working_for(Call(deadline=0.0)), pytest.raises(DeadlineError):
        pacer.enter()
    pacer.leave(running, None)
    assert pacer.enter() == 1
    assert pacer._under_way == 1


def test_all_requests_wait_as_long_as_the_store_says(pacer: Pacer) -> None:
    pacer.leave(pacer.enter(), ThrottledError("slow down", retry_after=0.05))
    until = time.monotonic() + 0.05
    pacer.leave(pacer.enter(), None)
    assert time.monotonic() >= until - 0.005


def test_a_request_that_cannot_wait_so_long_gives_its_turn_back(pacer: Pacer) -> None:
    pacer.leave(pacer.enter(), ThrottledError("slow down", retry_after=SECONDS))
    with working_for(Call(deadline=0.0)), pytest.raises(DeadlineError):
        pacer.enter()
    assert pacer._under_way == 0


def test_many_threads_keep_to_the_limit(pacer: Pacer) -> None:
    for number in throttle(pacer, 8):
        pacer.leave(number, UnavailableError("down"))
    most = running = 0
    lock = threading.Lock()

    def request(_: int) -> None:
        nonlocal most, running
        entered = pacer.enter()
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.001)
        with lock:
            running -= 1
        pacer.leave(entered, UnavailableError("down"))  # which leaves the limit at 4

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(request, range(200)))
    assert most == 4
    assert pacer._under_way == 0
