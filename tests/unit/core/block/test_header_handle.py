"""Sharing, unloading and retrying index-headers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from storegate import CorruptError, NotFoundError, StoregateError, UnavailableError
from storegate.block.header_handle import HeaderHandle
from storegate.metrics import Metrics

Sample = Callable[..., float | None]


class FakeHeader:
    """Stands for an IndexHeader."""

    closed = False

    def close(self) -> None:
        self.closed = True


class Opener:
    """Opens fake headers, or raises the `error` that a test sets."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.opened: list[FakeHeader] = []
        self.tries = 0

    def __call__(self) -> Any:
        self.tries += 1
        if self.error is not None:
            raise self.error
        self.opened.append(FakeHeader())
        return self.opened[-1]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(opener: Opener, clock: Clock, metrics: Metrics) -> Callable[..., HeaderHandle]:
    def _make(lazy: bool = True, **options: Any) -> HeaderHandle:
        return HeaderHandle("BLOCK", opener, metrics, lazy=lazy, clock=clock, **options)

    return _make


def test_all_users_share_one_header(make: Callable[..., HeaderHandle], opener: Opener) -> None:
    handle = make()
    with handle.use() as first, handle.use() as second:
        assert first is second
    with handle.use() as third:
        assert third is first
    assert opener.tries == 1


def test_first_uses_at_the_same_time_load_once(make: Callable[..., HeaderHandle], opener: Opener) -> None:
    handle = make()
    begin = threading.Barrier(6)

    def use() -> None:
        begin.wait()
        with handle.use():
            pass

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opener.tries == 1


def test_an_idle_header_is_unloaded_and_loaded_again_at_the_next_use(
    make: Callable[..., HeaderHandle], opener: Opener, clock: Clock, sample: Sample
) -> None:
    handle = make()
    handle.load()
    clock.now += 9.9
    assert not handle.unload_if_idle(10)
    clock.now += 0.1
    assert handle.unload_if_idle(10)
    assert opener.opened[0].closed
    assert not handle.loaded
    handle.load()
    assert len(opener.opened) == 2
    assert sample("thanos_bucket_store_indexheader_lazy_load_total") == 2
    assert sample("thanos_bucket_store_indexheader_lazy_load_duration_seconds_count") == 2
    assert sample("thanos_bucket_store_indexheader_lazy_unload_total") == 1


def test_a_header_in_use_is_never_idle(make: Callable[..., HeaderHandle], opener: Opener, clock: Clock) -> None:
    handle = make()
    with handle.use():
        clock.now += 1000
        assert not handle.unload_if_idle(10)
    assert not handle.unload_if_idle(10)
    assert not opener.opened[0].closed


def test_an_eager_header_stays(make: Callable[..., HeaderHandle], clock: Clock, sample: Sample) -> None:
    handle = make(lazy=False)
    handle.load()
    clock.now += 1000
    assert not handle.unload_if_idle(10)
    assert sample("thanos_bucket_store_indexheader_lazy_load_total") == 0


def test_a_header_that_cannot_close_is_counted(
    make: Callable[..., HeaderHandle], opener: Opener, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(header: FakeHeader) -> None:
        raise BufferError("still exported")

    monkeypatch.setattr(FakeHeader, "close", fail)
    handle = make()
    handle.load()
    assert handle.unload_if_idle(0)
    assert sample("thanos_bucket_store_indexheader_lazy_unload_failed_total") == 1


def test_a_failed_load_is_tried_again_after_a_pause_that_doubles(
    make: Callable[..., HeaderHandle], opener: Opener, clock: Clock, sample: Sample
) -> None:
    handle = make()
    opener.error = UnavailableError("down")
    tried_at = []
    for _ in range(1000):
        before = opener.tries
        with pytest.raises(UnavailableError, match="down"):
            handle.load()
        if opener.tries > before:
            tried_at.append(clock.now - 100)
        clock.now += 0.5
    assert tried_at[:8] == [0, 1, 3, 7, 15, 31, 61, 91]
    opener.error = None
    clock.now += 30
    handle.load()
    assert handle.loaded
    assert sample("thanos_bucket_store_indexheader_lazy_load_failed_total") == len(tried_at)


def test_success_makes_the_pause_short_again(make: Callable[..., HeaderHandle], opener: Opener, clock: Clock) -> None:
    handle = make()
    for _ in range(2):
        opener.error = UnavailableError("down")
        with pytest.raises(UnavailableError):
            handle.load()
        opener.error = None
        clock.now += 1
        handle.load()
        handle.unload_if_idle(0)
    assert len(opener.opened) == 2


@pytest.mark.parametrize(
    ("error", "is_broken"),
    [(CorruptError("bad"), True), (NotFoundError("gone"), True), (UnavailableError("down"), False)],
)
def test_only_failures_that_last_are_reported_as_broken(
    make: Callable[..., HeaderHandle], opener: Opener, error: StoregateError, is_broken: bool
) -> None:
    broken: list[StoregateError] = []
    handle = make(on_broken=broken.append)
    opener.error = error
    with pytest.raises(StoregateError):
        handle.load()
    assert broken == ([error] if is_broken else [])


def test_closing_waits_for_users(make: Callable[..., HeaderHandle], opener: Opener) -> None:
    handle = make()
    with handle.use():
        handle.close()
        assert not opener.opened[0].closed
        with pytest.raises(NotFoundError, match="BLOCK"):
            handle.load()
    assert opener.opened[0].closed


def test_closing_what_was_never_loaded_is_nothing(make: Callable[..., HeaderHandle], opener: Opener) -> None:
    make().close()
    assert opener.tries == 0


def test_an_error_of_the_user_does_not_leave_the_header_in_use(
    make: Callable[..., HeaderHandle], opener: Opener
) -> None:
    handle = make()
    with pytest.raises(ZeroDivisionError), handle.use():
        raise ZeroDivisionError
    assert handle.unload_if_idle(0)
