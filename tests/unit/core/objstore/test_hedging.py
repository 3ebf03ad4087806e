"""A second request when the first is slow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from storegate import DeadlineError, NotFoundError, ThrottledError, UnavailableError
from storegate.objstore.hedging import Hedger
from storegate.objstore.latencies import FEWEST
from storegate.objstore.pacing import Pacer
from storegate.objstore.waits import Waits
from storegate.query.call import Call, working_for

SECONDS = 60.0
LENGTH = 1000


class Requests:
    """Answers with the number of the request; those of `held` only after `release`, those of `broken` by an error."""

    def __init__(self, *, held: tuple[int, ...] = (), broken: dict[int, Exception] | None = None) -> None:
        self._held, self._broken = held, broken or {}
        self._released = threading.Event()
        self._lock = threading.Lock()
        self.sent = 0

    def __call__(self) -> int:
        with self._lock:
            number, self.sent = self.sent, self.sent + 1
        if number in self._held:
            assert self._released.wait(SECONDS)
        if number in self._broken:
            raise self._broken[number]
        return number

    def release(self) -> None:
        self._released.set()


@pytest.fixture
def told() -> list[str]:
    """What the hedger tells."""
    return []


@pytest.fixture
def pacer() -> Pacer:
    return Pacer(Waits())


@pytest.fixture
def hedger(pacer: Pacer, told: list[str]) -> Iterator[Callable[..., Hedger]]:
    """Makes a hedger that knows reads of 1000 bytes to take no time."""
    with ThreadPoolExecutor(8) as pool:

        def make(up_to: int = 2, *, taught: bool = True) -> Hedger:
            hedger = Hedger(up_to, 0.9, pool, pacer, Waits(), lambda: told.append("hedged"), lambda: told.append("won"))
            for _ in range(FEWEST if taught else 0):
                hedger._latencies.observe(LENGTH, 0.0)
            return hedger

        yield make


def run(hedger: Hedger, requests: Requests) -> Any:
    try:
        return hedger.run(LENGTH, requests)
    finally:
        requests.release()


def test_the_answer_of_the_second_request_is_taken_when_the_first_is_slow(
    hedger: Callable[..., Hedger], told: list[str]
) -> None:
    assert run(hedger(), Requests(held=(0,))) == 1
    assert told == ["hedged", "won"]


def test_a_quick_answer_needs_no_second_request(hedger: Callable[..., Hedger], told: list[str]) -> None:
    patient = hedger(taught=False)
    for _ in range(FEWEST):
        patient._latencies.observe(LENGTH, SECONDS)
    requests = Requests()
    assert run(patient, requests) == 0
    assert (requests.sent, told) == (1, [])


def test_no_more_requests_are_sent_than_allowed(hedger: Callable[..., Hedger], told: list[str]) -> None:
    requests = Requests(held=(0, 1, 2))
    slow = hedger(up_to=3)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(run, slow, requests)
        while requests.sent < 3:
            threading.Event().wait(0.001)
        requests.release()
        assert answer.result(SECONDS) in (0, 1, 2)
    assert (requests.sent, told.count("hedged")) == (3, 2)


def test_nothing_is_sent_again_before_enough_reads_were_seen(hedger: Callable[..., Hedger]) -> None:
    requests = Requests(held=(0,))
    threading.Timer(0.02, requests.release).start()
    assert run(hedger(taught=False), requests) == 0
    assert requests.sent == 1


def test_nothing_is_sent_again_while_the_store_throttles(hedger: Callable[..., Hedger], pacer: Pacer) -> None:
    pacer.leave(pacer.enter(), ThrottledError("slow down"))
    requests = Requests(held=(0,))
    threading.Timer(0.02, requests.release).start()
    assert run(hedger(), requests) == 0
    assert requests.sent == 1


def test_a_second_request_saves_a_first_one_that_fails_late(hedger: Callable[..., Hedger]) -> None:
    requests = Requests(held=(0, 1), broken={0: UnavailableError("down")})
    slow = hedger()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(run, slow, requests)
        while requests.sent < 2:
            threading.Event().wait(0.001)
        requests.release()
        assert answer.result(SECONDS) == 1


def test_the_error_is_raised_when_all_requests_failed(hedger: Callable[..., Hedger]) -> None:
    down = UnavailableError("down")
    with pytest.raises(UnavailableError, match="down"):
        run(hedger(), Requests(broken={0: down, 1: down}))


def test_an_error_that_another_request_would_meet_too_is_raised_at_once(hedger: Callable[..., Hedger]) -> None:
    requests = Requests(held=(0,), broken={1: NotFoundError("gone")})
    with pytest.raises(NotFoundError):
        run(hedger(), requests)


def test_a_stalled_read_does_not_hold_a_query_past_its_deadline(hedger: Callable[..., Hedger]) -> None:
    with working_for(Call(deadline=0.0)), pytest.raises(DeadlineError):
        run(hedger(), Requests(held=(0, 1)))
