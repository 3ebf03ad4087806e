"""The gate: who waits, in which order, and what becomes of those that give up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from prometheus_client import CollectorRegistry

from storegate.errors import CancelledError, DeadlineError
from storegate.metrics import Metrics
from storegate.query.call import Call
from storegate.query.gate import Gate

PREFIX = "thanos_bucket_store_series_gate_queries"


class WatchedCall(Call):
    """Says when it began to wait; `hold` keeps the thread from noticing the end of its wait."""

    def __init__(self, deadline: float | None = None) -> None:
        super().__init__(deadline=deadline)
        self.waits = threading.Event()
        self.hold: threading.Event | None = None

    def wait(self, event: threading.Event) -> None:
        self.waits.set()
        try:
            super().wait(event)
        finally:
            if self.hold is not None:
                self.hold.wait(10)


Queue = Callable[..., tuple[WatchedCall, "Future[None]"]]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def gate(registry: CollectorRegistry) -> Gate:
    return Gate(1, Metrics(registry))


@pytest.fixture
def queue(gate: Gate) -> Iterator[Queue]:
    """Lets a call queue up on a thread of its own; returns once it waits."""
    calls: list[WatchedCall] = []
    with ThreadPoolExecutor(8) as pool:

        def add(call: WatchedCall | None = None) -> tuple[WatchedCall, Future[None]]:
            call = call or WatchedCall()
            calls.append(call)
            entering = pool.submit(gate.enter, call)
            assert call.waits.wait(10)
            return call, entering

        yield add
        for call in calls:  # after a failure some may still wait
            call.cancel()


def test_a_free_place_is_taken_at_once(gate: Gate) -> None:
    call = WatchedCall()
    gate.enter(call)
    assert not call.waits.is_set()


def test_trying_takes_a_free_place(gate: Gate) -> None:
    assert gate.try_enter()
    assert not gate.try_enter()


def test_a_place_that_was_left_can_be_taken_again(gate: Gate) -> None:
    gate.enter(Call())
    gate.leave()
    assert gate.try_enter()


def test_a_gate_of_zero_lets_everyone_in() -> None:
    gate = Gate(0, Metrics(CollectorRegistry()))
    assert [gate.try_enter() for _ in range(50)] == [True] * 50


def test_leaving_a_gate_of_zero_makes_no_places() -> None:
    registry = CollectorRegistry()
    gate = Gate(0, Metrics(registry))
    gate.enter(Call())
    gate.leave()
    assert registry.get_sample_value(f"{PREFIX}_in_flight") == 0


def test_places_go_to_waiters_in_the_order_in_which_they_came(gate: Gate, queue: Queue) -> None:
    gate.enter(Call())
    entering = [queue()[1] for _ in range(4)]
    order = []
    for _ in entering:
        gate.leave()
        first = next(one for one in entering if one not in order)
        first.result(10)
        order.append(first)
        assert [one.done() for one in entering] == [one in order for one in entering]


def test_a_place_that_is_given_to_a_waiter_cannot_be_tried_for(gate: Gate, queue: Queue) -> None:
    gate.enter(Call())
    _, entering = queue()
    gate.leave()
    assert not gate.try_enter()
    entering.result(10)


def test_a_cancelled_waiter_leaves_with_the_words_that_clients_know(gate: Gate, queue: Queue) -> None:
    gate.enter(Call())
    call, entering = queue()
    call.cancel()
    with pytest.raises(CancelledError, match=r"^failed to wait for turn: "):
        entering.result(10)


def test_a_waiter_past_its_deadline_leaves_with_the_words_that_clients_know(gate: Gate) -> None:
    gate.enter(Call())
    with pytest.raises(DeadlineError, match=r"^failed to wait for turn: "):
        gate.enter(Call(deadline=time.monotonic() + 0.01))


def test_a_call_that_is_over_does_not_enter_a_free_gate(gate: Gate) -> None:
    call = Call()
    call.cancel()
    with pytest.raises(CancelledError, match=r"^failed to wait for turn: "):
        gate.enter(call)
    assert gate.try_enter()


def test_a_cancelled_waiter_is_passed_over(gate: Gate, queue: Queue) -> None:
    gate.enter(Call())
    first, gone = queue()
    _, second = queue()
    first.cancel()
    assert isinstance(gone.exception(10), CancelledError)
    gate.leave()
    second.result(10)


def test_an_expired_waiter_is_passed_over(gate: Gate, queue: Queue) -> None:
    gate.enter(Call())
    _, gone = queue(WatchedCall(deadline=time.monotonic() + 0.02))
    _, second = queue()
    assert isinstance(gone.exception(10), DeadlineError)
    gate.leave()
    second.result(10)


def test_waiters_that_gave_up_take_no_place_with_them(gate: Gate, queue: Queue) -> None:
    gate.enter(Call())
    waiting = [queue() for _ in range(3)]
    for call, _ in waiting:
        call.cancel()
    assert [type(entering.exception(10)) for _, entering in waiting] == [CancelledError] * 3
    gate.leave()
    assert gate.try_enter()


def test_a_place_that_comes_to_a_waiter_as_it_gives_up_goes_to_the_next(gate: Gate, queue: Queue) -> None:
    gate.enter(Call())
    call = WatchedCall()
    call.hold = threading.Event()
    _, gone = queue(call)
    _, second = queue()
    call.cancel()
    gate.leave()  # gives the place to the first, which has given up and does not know of it yet
    call.hold.set()
    assert isinstance(gone.exception(10), CancelledError)
    second.result(10)


def test_those_inside_are_counted(gate: Gate, registry: CollectorRegistry) -> None:
    gate.enter(Call())
    assert registry.get_sample_value(f"{PREFIX}_in_flight") == 1
    gate.leave()
    assert registry.get_sample_value(f"{PREFIX}_in_flight") == 0


def test_a_waiter_that_gave_up_is_not_counted_as_inside(gate: Gate, queue: Queue, registry: CollectorRegistry) -> None:
    gate.enter(Call())
    call, entering = queue()
    call.cancel()
    entering.exception(10)
    assert registry.get_sample_value(f"{PREFIX}_in_flight") == 1


def test_every_way_in_is_counted_once(gate: Gate, registry: CollectorRegistry) -> None:
    gate.try_enter()
    gate.try_enter()
    with pytest.raises(DeadlineError):
        gate.enter(Call(deadline=time.monotonic()))
    assert registry.get_sample_value(f"{PREFIX}_total") == 2
    assert registry.get_sample_value(f"{PREFIX}_duration_seconds_count") == 2


def test_the_number_of_places_is_shown(gate: Gate, registry: CollectorRegistry) -> None:
    assert registry.get_sample_value(f"{PREFIX}_max") == 1
