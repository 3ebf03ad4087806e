"""Trying again, after pauses that grow."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from storegate import DeniedError, ThrottledError, UnavailableError
from storegate.objstore.retries import Attempts, RetryPolicy
from storegate.objstore.waits import Waits
from storegate.query.call import Call, working_for

DOWN = UnavailableError("the store is down")


class Pauses(Waits):
    """Waits that take no time, and note how long they would."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def pause(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every random pause is the longest that it can be."""
    monkeypatch.setattr(random, "uniform", lambda low, high: high)


def failing(*errors: Exception) -> Callable[[], str]:
    """Raises these one after another, then answers."""
    left = list(errors)

    def attempt() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return attempt


def run(pauses: Pauses, first: UnavailableError, *errors: Exception, policy: RetryPolicy | None = None) -> str:
    attempts = Attempts(policy or RetryPolicy(), pauses, lambda error: None)
    return attempts.run(failing(*errors), first)


def test_an_attempt_that_succeeds_ends_it(pauses: Pauses) -> None:
    assert run(pauses, DOWN, DOWN, ThrottledError("slow down")) == "answer"
    assert len(pauses.seconds) == 3


@pytest.mark.usefixtures("longest")
def test_pauses_double_up_to_the_longest(pauses: Pauses) -> None:
    run(pauses, DOWN, *[DOWN] * 7, policy=RetryPolicy(first_pause=1.0, longest_pause=20.0, patience=1000.0))
    assert pauses.seconds == [1, 2, 4, 8, 16, 20, 20, 20]


def test_pauses_are_random(pauses: Pauses) -> None:
    policy = RetryPolicy(attempts=200, first_pause=1.0, longest_pause=1.0)
    run(pauses, DOWN, *[DOWN] * 150, policy=policy)
    assert 0.0 <= min(pauses.seconds) < 0.2
    assert 0.8 < max(pauses.seconds) <= 1.0


@pytest.mark.usefixtures("longest")
def test_the_store_says_how_long_to_wait_at_least(pauses: Pauses) -> None:
    run(pauses, ThrottledError("slow down", retry_after=7.0), policy=RetryPolicy(first_pause=0.5))
    assert pauses.seconds == [7.5]


def test_the_last_error_is_raised_with_the_number_of_attempts(pauses: Pauses) -> None:
    with pytest.raises(UnavailableError, match=r"the store is down \(after 4 attempts\)"):
        run(pauses, DOWN, *[DOWN] * 9, policy=RetryPolicy(attempts=4))
    assert len(pauses.seconds) == 3


def test_throttling_that_does_not_end_is_still_throttling(pauses: Pauses) -> None:
    throttled = ThrottledError("slow down", retry_after=0.5)
    with pytest.raises(ThrottledError) as caught:
        run(pauses, throttled, throttled, policy=RetryPolicy(attempts=2))
    assert caught.value.retry_after == 0.5


def test_one_attempt_is_no_retry(pauses: Pauses) -> None:
    with pytest.raises(UnavailableError) as caught:
        run(pauses, DOWN, policy=RetryPolicy(attempts=1))
    assert caught.value is DOWN
    assert pauses.seconds == []


def test_what_is_no_matter_of_waiting_is_raised_at_once(pauses: Pauses) -> None:
    with pytest.raises(DeniedError):
        run(pauses, DOWN, DeniedError("no"))
    assert len(pauses.seconds) == 1


def test_patience_ends(pauses: Pauses, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def attempt() -> None:
        now[0] += 25.0
        raise DOWN

    with pytest.raises(UnavailableError, match="after 4 attempts"):
        Attempts(RetryPolicy(patience=60.0, longest_pause=15.0), pauses, lambda error: None).run(attempt, DOWN)


def test_no_pause_goes_beyond_the_deadline_of_the_query(pauses: Pauses) -> None:
    asked = ThrottledError("slow down", retry_after=20.0)
    with working_for(Call(deadline=time.monotonic() + 10.0)), pytest.raises(ThrottledError):
        run(pauses, asked)
    assert pauses.seconds == []


def test_each_retry_is_told(pauses: Pauses) -> None:
    told: list[UnavailableError] = []
    Attempts(RetryPolicy(), pauses, told.append).run(failing(DOWN), DOWN)
    assert told == [DOWN, DOWN]
