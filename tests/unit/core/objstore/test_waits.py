"""Waiting on behalf of a query."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from storegate import CancelledError, DeadlineError, UnavailableError
from storegate.objstore.waits import Waits
from storegate.query.call import Call, current_call, working_for

SECONDS = 60.0


def when_waiting(waits: Waits) -> None:
    """Return once a thread waits."""
    while not waits._events:
        threading.Event().wait(0.001)


def test_a_wait_tells_whether_the_event_came() -> None:
    event = threading.Event()
    assert Waits().wait(event, 0.001) is False
    event.set()
    assert Waits().wait(event) is True


def test_a_wait_ends_at_the_deadline_of_the_query() -> None:
    with working_for(Call(deadline=0.0)), pytest.raises(DeadlineError):
        Waits().pause(SECONDS)


def test_a_wait_ends_when_the_query_is_cancelled() -> None:
    waits, call = Waits(), Call()

    def work() -> None:
        with working_for(call):
            waits.pause(SECONDS)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(work)
        when_waiting(waits)
        call.cancel()
        with pytest.raises(CancelledError):
            waiting.result(SECONDS)


def test_a_pause_within_the_deadline_is_no_error() -> None:
    call = Call()
    with working_for(call):
        Waits().pause(0.001)
        assert current_call() is call
    assert current_call() is None


def test_closing_ends_waits() -> None:
    waits = Waits()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(waits.pause, SECONDS)
        when_waiting(waits)
        waits.close()
        with pytest.raises(UnavailableError, match="the gateway stops"):
            waiting.result(SECONDS)


def test_nothing_waits_after_closing() -> None:
    waits = Waits()
    waits.close()
    with pytest.raises(UnavailableError):
        waits.pause(SECONDS)
