"""The circuit breaker."""

from __future__ import annotations

import pytest

from storegate.cache.breaker import COUNTING_SECONDS, Breaker, State, Ticket
from storegate.types import BreakerLimits

ONE_FAILURE = BreakerLimits(
    min_requests=1, consecutive_failures=1, half_open_max_requests=1, open_duration=8.0, first_open_duration=1.0
)
THANOS = BreakerLimits()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def changes() -> list[State]:
    return []


def breaker(limits: BreakerLimits, clock: Clock, changes: list[State] | None = None) -> Breaker:
    return Breaker(limits, changes.append if changes is not None else lambda state: None, clock)


def call(subject: Breaker, ok: bool) -> bool:
    """Whether a call passed; its outcome is `ok`."""
    ticket = subject.admit()
    if ticket is not None:
        subject.report(ticket, ok)
    return ticket is not None


def admitted(subject: Breaker) -> Ticket:
    ticket = subject.admit()
    assert ticket is not None
    return ticket


def test_calls_pass_while_they_succeed(clock: Clock) -> None:
    subject = breaker(ONE_FAILURE, clock)
    assert [call(subject, True) for _ in range(5)] == [True] * 5


def test_one_failure_opens_it_where_one_is_enough(clock: Clock) -> None:
    subject = breaker(ONE_FAILURE, clock)
    call(subject, False)
    assert not subject.closed
    assert subject.admit() is None


def test_after_the_pause_one_trial_passes(clock: Clock) -> None:
    subject = breaker(ONE_FAILURE, clock)
    call(subject, False)
    clock.now += 0.9
    assert subject.admit() is None
    clock.now += 0.1
    assert admitted(subject).trial
    assert subject.admit() is None


def test_a_trial_that_succeeds_closes_it(clock: Clock) -> None:
    subject = breaker(ONE_FAILURE, clock)
    call(subject, False)
    clock.now += 1
    call(subject, True)
    assert subject.closed
    assert not admitted(subject).trial


def test_each_failed_trial_doubles_the_pause_up_to_the_longest(clock: Clock) -> None:
    subject = breaker(ONE_FAILURE, clock)
    call(subject, False)
    for pause in (1.0, 2.0, 4.0, 8.0, 8.0):
        clock.now += pause - 0.01
        assert subject.admit() is None
        clock.now += 0.01
        assert call(subject, False)


def test_a_failure_soon_after_it_closed_goes_on_with_longer_pauses(clock: Clock) -> None:
    subject = breaker(ONE_FAILURE, clock)
    call(subject, False)
    clock.now += 1
    call(subject, True)
    call(subject, False)
    clock.now += 1
    assert subject.admit() is None
    clock.now += 1
    assert subject.admit() is not None


def test_a_failure_after_a_healthy_time_begins_with_the_first_pause(clock: Clock) -> None:
    subject = breaker(ONE_FAILURE, clock)
    call(subject, False)
    clock.now += 1
    call(subject, False)
    clock.now += 2
    call(subject, True)
    clock.now += 8
    call(subject, False)
    clock.now += 1
    assert subject.admit() is not None


def test_a_call_that_began_before_a_change_says_nothing(clock: Clock) -> None:
    subject = breaker(ONE_FAILURE, clock)
    late = admitted(subject)
    call(subject, False)
    subject.report(late, True)
    assert not subject.closed
    clock.now += 1
    trial = admitted(subject)
    subject.report(late, False)
    subject.report(trial, True)
    assert subject.closed


def test_trials_that_do_not_come_back_are_failures(clock: Clock) -> None:
    subject = breaker(ONE_FAILURE, clock)
    call(subject, False)
    clock.now += 1
    lost = admitted(subject)
    clock.now += 8
    assert subject.admit() is None
    clock.now += 2
    assert admitted(subject).trial
    subject.report(lost, True)
    assert not subject.closed


def test_changes_are_told_once(clock: Clock, changes: list[State]) -> None:
    subject = breaker(ONE_FAILURE, clock, changes)
    first, second = admitted(subject), admitted(subject)
    subject.report(first, False)
    subject.report(second, False)
    clock.now += 1
    call(subject, True)
    assert changes == [State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_few_requests_are_not_judged(clock: Clock) -> None:
    subject = breaker(THANOS, clock)
    assert all(call(subject, False) for _ in range(49))
    assert subject.closed


def test_failures_in_a_row_open_it_once_there_were_enough_requests(clock: Clock) -> None:
    subject = breaker(BreakerLimits(failure_percent=1.0), clock)
    for _ in range(45):
        call(subject, True)
    for _ in range(4):
        call(subject, False)
    assert subject.closed
    call(subject, False)
    assert not subject.closed


def test_a_share_of_failures_opens_it(clock: Clock) -> None:
    subject = breaker(BreakerLimits(consecutive_failures=1000), clock)
    for i in range(60):
        call(subject, i % 30 != 1)  # 2 of 60 are less than a twentieth
    assert subject.closed
    call(subject, False)
    call(subject, False)
    assert not subject.closed


def test_counters_begin_again_after_ten_seconds(clock: Clock) -> None:
    subject = breaker(THANOS, clock)
    for _ in range(49):
        call(subject, False)
    clock.now += COUNTING_SECONDS
    call(subject, False)
    assert subject.closed


def test_all_trials_must_succeed(clock: Clock) -> None:
    subject = breaker(BreakerLimits(min_requests=1, consecutive_failures=1), clock)
    call(subject, False)
    clock.now += THANOS.open_duration
    for _ in range(9):
        assert call(subject, True)
    assert not subject.closed
    assert call(subject, True)
    assert subject.closed
