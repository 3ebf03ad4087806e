"""One fetch for all who want a thing at the same time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from storegate import flights as flights_module
from storegate.errors import CancelledError, CorruptError, DeadlineError, LimitError, NotFoundError
from storegate.flights import Flights, may_wait, wait_here, when_all_landed
from storegate.query.call import Call, working_for


@pytest.fixture
def flights() -> Flights:
    return Flights()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


class Held:
    """A fetch that waits until it is let go."""

    def __init__(self, outcome: Callable[[], Any]) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.calls = 0
        self._outcome = outcome

    def __call__(self) -> Any:
        self.calls += 1
        self.begun.set()
        assert self.go.wait(10)
        return self._outcome()


@pytest.fixture
def waiters(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Released by each thread that begins to wait for a flight."""
    waiting = threading.Semaphore(0)

    def wait(event: threading.Event) -> None:
        waiting.release()
        wait_here(event)

    monkeypatch.setattr(flights_module, "wait_here", wait)
    return waiting


def raising(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


# --- boarding and landing ---


def test_who_comes_first_leads(flights: Flights) -> None:
    mine, theirs = flights.board(["a", "b"])
    assert (list(mine), theirs) == (["a", "b"], {})


def test_who_comes_later_gets_the_flight(flights: Flights) -> None:
    flights.board(["a"])
    mine, theirs = flights.board(["a", "b"])
    assert (list(mine), list(theirs)) == (["b"], ["a"])


def test_a_flight_brings_its_value_to_those_who_wait(flights: Flights) -> None:
    flights.board(["a"])
    flight = flights.board(["a"])[1]["a"]
    flights.land({"a": 1})
    assert (flight.landed, flight.brought, flight.value) == (True, True, 1)


def test_after_a_landing_the_next_leads_again(flights: Flights) -> None:
    flights.board(["a"])
    flights.land({"a": 1})
    assert list(flights.board(["a"])[0]) == ["a"]


def test_a_flight_that_is_given_up_brings_nothing(flights: Flights) -> None:
    flights.board(["a"])
    flight = flights.board(["a"])[1]["a"]
    flights.give_up(["a"])
    assert (flight.landed, flight.brought, flight.error) == (True, False, None)


def test_an_error_of_the_object_is_that_of_all_who_wait(flights: Flights) -> None:
    flights.board(["a"])
    flight = flights.board(["a"])[1]["a"]
    error = CorruptError("damage")
    flights.give_up(["a"], error)
    assert flight.error is error


@pytest.mark.parametrize(
    "error",
    [
        CancelledError("x"),
        DeadlineError("x"),
        LimitError("x", limit="bytes", allowed=1, reached=2),
        GeneratorExit(),
        RuntimeError("x"),
    ],
)
def test_an_error_of_one_request_is_nobody_elses(flights: Flights, error: BaseException) -> None:
    flights.board(["a"])
    flight = flights.board(["a"])[1]["a"]
    flights.give_up(["a"], error)
    assert flight.error is None


def test_who_asks_after_the_landing_is_called_back_at_once(flights: Flights) -> None:
    flights.board(["a"])
    flight = flights.board(["a"])[1]["a"]
    flights.land({"a": 1})
    called: list[int] = []
    flight.when_landed(lambda: called.append(1))
    assert called == [1]


def test_several_flights_call_back_once_with_the_last(flights: Flights) -> None:
    flights.board(["a", "b"])
    called: list[int] = []
    when_all_landed(list(flights.board(["a", "b"])[1].values()), lambda: called.append(1))
    flights.land({"a": 1})
    before = list(called)
    flights.give_up(["b"])
    assert (before, called) == ([], [1])


# --- what landed between a look into the cache and boarding ---


def test_nothing_landed_since_now(flights: Flights) -> None:
    assert flights.landed_since(["a"], flights.landings) == []


def test_what_landed_meanwhile_is_told(flights: Flights) -> None:
    landings = flights.landings
    flights.board(["a", "b"])
    flights.land({"a": 1, "b": 2})
    assert flights.landed_since(["a", "c"], landings) == ["a"]


def test_what_landed_before_is_not_told(flights: Flights) -> None:
    flights.board(["a"])
    flights.land({"a": 1})
    landings = flights.landings
    flights.board(["b"])
    flights.land({"b": 1})
    assert flights.landed_since(["a"], landings) == []


def test_what_was_given_up_did_not_land(flights: Flights) -> None:
    landings = flights.landings
    flights.board(["a"])
    flights.give_up(["a"])
    assert flights.landed_since(["a"], landings) == []


def test_after_too_many_landings_anything_may_have_landed(flights: Flights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Flights, "REMEMBERED", 2)
    landings = flights.landings
    for key in ("a", "b", "c"):
        flights.board([key])
        flights.land({key: 1})
    assert flights.landed_since(["a", "x"], landings) == ["a", "x"]


# --- once ---


def test_many_who_want_the_same_cause_one_fetch(
    flights: Flights, pool: ThreadPoolExecutor, waiters: threading.Semaphore
) -> None:
    fetch = Held(lambda: "value")
    wanting = [pool.submit(flights.once, "k", fetch) for _ in range(8)]
    for _ in range(7):
        assert waiters.acquire(timeout=10)
    fetch.go.set()
    assert [one.result(10) for one in wanting] == ["value"] * 8
    assert fetch.calls == 1


def test_different_things_are_fetched_side_by_side(flights: Flights, pool: ThreadPoolExecutor) -> None:
    barrier = threading.Barrier(2, timeout=10)
    results = [pool.submit(flights.once, key, barrier.wait) for key in ("a", "b")]
    assert sorted(one.result(10) for one in results) == [0, 1]


def test_an_error_of_the_fetch_reaches_all(
    flights: Flights, pool: ThreadPoolExecutor, waiters: threading.Semaphore
) -> None:
    fetch = Held(raising(NotFoundError("gone")))
    leader = pool.submit(flights.once, "k", fetch)
    assert fetch.begun.wait(10)
    follower = pool.submit(flights.once, "k", raising(AssertionError("must not be called")))
    assert waiters.acquire(timeout=10)
    fetch.go.set()
    assert [str(one.exception(10)) for one in (leader, follower)] == ["gone", "gone"]


def test_who_waited_for_a_cancelled_leader_fetches_itself(
    flights: Flights, pool: ThreadPoolExecutor, waiters: threading.Semaphore
) -> None:
    fetch = Held(raising(CancelledError("the leader's affair")))
    leader = pool.submit(flights.once, "k", fetch)
    assert fetch.begun.wait(10)
    follower = pool.submit(flights.once, "k", lambda: "own")
    assert waiters.acquire(timeout=10)
    fetch.go.set()
    assert (type(leader.exception(10)), follower.result(10)) == (CancelledError, "own")


def test_a_wait_ends_with_the_request_that_waits(
    flights: Flights, pool: ThreadPoolExecutor, waiters: threading.Semaphore
) -> None:
    flights.board(["k"])
    call = Call()

    def follow() -> Any:
        with working_for(call):
            return flights.once("k", lambda: None)

    follower = pool.submit(follow)
    assert waiters.acquire(timeout=10)
    call.cancel()
    assert isinstance(follower.exception(10), CancelledError)


# --- where waiting is allowed ---


def test_a_plain_thread_may_wait() -> None:
    assert may_wait()


def test_an_event_loop_may_not_wait() -> None:
    async def asked() -> bool:
        return may_wait()

    assert not asyncio.run(asked())
