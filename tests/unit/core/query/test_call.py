"""A request that waits, ends, or is given up."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from storegate.errors import CancelledError, DeadlineError
from storegate.query.call import Call


class WatchedEvent(threading.Event):
    """Says when somebody began to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.awaited = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.awaited.set()
        return super().wait(timeout)


def test_a_running_call_passes_its_check() -> None:
    Call(deadline=time.monotonic() + 60).check()


def test_a_cancelled_call_fails_its_check() -> None:
    call = Call()
    call.cancel()
    with pytest.raises(CancelledError, match="cancelled"):
        call.check()


def test_a_call_past_its_deadline_fails_its_check() -> None:
    with pytest.raises(DeadlineError, match="deadline"):
        Call(deadline=time.monotonic()).check()


def test_cancelling_counts_more_than_the_deadline() -> None:
    call = Call(deadline=time.monotonic())
    call.cancel()
    with pytest.raises(CancelledError):
        call.check()


def test_without_a_deadline_no_time_is_left_to_tell() -> None:
    assert Call().remaining() is None


def test_the_time_left_is_never_negative() -> None:
    assert Call(deadline=time.monotonic() - 5).remaining() == 0.0


def test_waiting_for_an_event_that_is_set_returns() -> None:
    event = threading.Event()
    event.set()
    Call().wait(event)


def test_cancelling_ends_a_wait() -> None:
    call, event = Call(), WatchedEvent()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call.wait, event)
        assert event.awaited.wait(10)
        call.cancel()
        with pytest.raises(CancelledError):
            waiting.result(10)


def test_cancelling_ends_all_waits_of_a_call() -> None:
    call, events = Call(), [WatchedEvent(), WatchedEvent()]
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(call.wait, event) for event in events]
        assert all(event.awaited.wait(10) for event in events)
        call.cancel()
        assert [type(one.exception(10)) for one in waiting] == [CancelledError, CancelledError]


def test_a_cancelled_call_does_not_begin_to_wait() -> None:
    call, event = Call(), WatchedEvent()
    call.cancel()
    with pytest.raises(CancelledError):
        call.wait(event)
    assert not event.awaited.is_set()


def test_the_deadline_ends_a_wait() -> None:
    with pytest.raises(DeadlineError):
        Call(deadline=time.monotonic() + 0.01).wait(threading.Event())


def test_cancelling_leaves_an_event_alone_that_was_waited_for_before() -> None:
    call, event = Call(), threading.Event()
    event.set()
    call.wait(event)
    event.clear()
    call.cancel()
    assert not event.is_set()


def test_a_wait_that_ends_a_moment_too_soon_goes_on_to_the_deadline() -> None:
    class Hasty(threading.Event):
        waits = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.waits += 1
            return super().wait(0.0 if self.waits < 3 else timeout)

    event = Hasty()
    with pytest.raises(DeadlineError):
        Call(deadline=time.monotonic() + 0.05).wait(event)
    assert event.waits > 2
