"""Frames as the client asked for them, and windows that are read ahead."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from storegate.query import stream
from storegate.query.stream import FrameCutter
from storegate.testing.faults import HoldingStore, Request

CHUNKS = "*/chunks/*"


class Arrivals(HoldingStore):
    """Holds reads of chunks back and lets a test wait until so many have arrived."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner, key=CHUNKS)
        self._arrived = threading.Semaphore(0)

    def call(self, request: Request, inner: Callable[[], bytes]) -> bytes:
        if request.matches("*", CHUNKS):
            self._arrived.release()
        return super().call(request, inner)

    def wait_for(self, count: int) -> bool:
        return all(self._arrived.acquire(timeout=10) for _ in range(count))


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of 3 series, the first of 2."""
    monkeypatch.setattr(stream, "FIRST_SERIES", 2)
    monkeypatch.setattr(stream, "SERIES", 3)


def shapes(frames: list[Any]) -> list[int]:
    """Series of each batch frame, 0 for a frame of one series without a batch."""
    return [len(frame.batch.series) if frame.HasField("batch") else 0 for frame in frames]


FRAMINGS = [(2, [2] * 9), (5, [5, 5, 5, 3]), (18, [18]), (64, [18]), (0, [0] * 18), (1, [0] * 18)]


@pytest.mark.parametrize(("batch", "expected"), FRAMINGS)
def test_18_series_come_in_the_frames_that_were_asked_for(
    engine: Any, up: Any, batch: int, expected: list[int]
) -> None:
    engine.add(up(18))
    assert shapes(engine.frames("n!=", batch_size=batch)) == expected


@pytest.mark.usefixtures("small_windows")
def test_each_step_is_a_batch_of_its_own_where_that_is_wanted(engine: Any, up: Any) -> None:
    engine.add(up(18))
    assert shapes(engine.frames("n!=", batch_size=-1)) == [2, 3, 3, 3, 3, 3, 1]


@pytest.mark.parametrize(("batch", "expected"), FRAMINGS)
@pytest.mark.usefixtures("small_windows")
def test_batches_go_on_across_windows(engine: Any, up: Any, batch: int, expected: list[int]) -> None:
    engine.add(up(18))
    assert shapes(engine.frames("n!=", batch_size=batch)) == expected


@pytest.mark.parametrize("batch", [0, 2, 5, 64])
@pytest.mark.usefixtures("small_windows")
def test_series_keep_their_order_whatever_the_frames(engine: Any, up: Any, batch: int) -> None:
    engine.add(up(18))
    found = [dict(labels)["n"] for labels in engine.labels("n!=", batch_size=batch)]
    assert found == [f"{n:03}" for n in range(18)]


def test_a_single_series_goes_out_as_a_batch_too(engine: Any, up: Any) -> None:
    engine.add(up(1))
    assert shapes(engine.frames("n!=", batch_size=5)) == [1]


def test_a_cutter_has_nothing_left_without_series() -> None:
    assert FrameCutter(5).rest() == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 18, 100])
@pytest.mark.usefixtures("small_windows")
def test_the_stream_stops_after_the_limit(engine: Any, up: Any, limit: int) -> None:
    engine.add(up(18))
    assert len(engine.labels("n!=", limit=limit)) == min(limit, 18)


@pytest.mark.parametrize("limit", [0, -1])
def test_no_limit_gives_every_series(engine: Any, up: Any, limit: int) -> None:
    engine.add(up(18))
    assert len(engine.labels("n!=", limit=limit)) == 18


@pytest.mark.usefixtures("small_windows")
def test_the_limit_counts_folded_series(engine: Any, up: Any) -> None:
    for replica in "ab":
        engine.add(up(18), {"replica": replica})
    assert len(engine.labels("n!=", limit=7, without_replica_labels=("replica",))) == 7


def test_a_window_ends_early_when_it_holds_many_chunks(engine: Any, up: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CHUNKS", 10)
    monkeypatch.setattr(stream, "CHUNKS_PER_BLOCK", 10)
    engine.add(up(6, samples=4), samples_per_chunk=1)
    steps = engine.stream("n!=")
    assert [len(frames) for frames in steps if frames] == [3, 3]
    steps.close()


def test_a_series_with_more_chunks_than_a_window_is_sent_whole(
    engine: Any, up: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CHUNKS", 10)
    monkeypatch.setattr(stream, "CHUNKS_PER_BLOCK", 10)
    engine.add(up(2, samples=25), samples_per_chunk=1)
    assert [len(series.chunks) for series in engine.series("n!=")] == [25, 25]


@pytest.mark.usefixtures("small_windows")
def test_later_windows_are_read_while_the_first_waits_for_a_slow_store(make_engine: Any, up: Any) -> None:
    engine = make_engine(wrap=Arrivals)
    engine.add(up(40))
    answer = engine.pool.submit(engine.series, "n!=")
    assert engine.faulty.wait_for(stream.AHEAD + 1)
    assert not answer.done()
    engine.faulty.release()
    assert len(answer.result(10)) == 40


@pytest.mark.usefixtures("small_windows")
def test_no_more_windows_are_read_ahead_than_that(make_engine: Any, up: Any) -> None:
    engine = make_engine(wrap=Arrivals)
    engine.add(up(40))
    answer = engine.pool.submit(engine.series, "n!=")
    assert engine.faulty.wait_for(stream.AHEAD + 1)
    requests = engine.store.count("get_range", CHUNKS)
    engine.faulty.release()
    answer.result(10)
    assert requests == stream.AHEAD + 1


@pytest.mark.usefixtures("small_windows")
def test_large_windows_are_not_read_ahead(make_engine: Any, up: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "READ_AHEAD_BYTES", 1)
    engine = make_engine(wrap=Arrivals)
    engine.add(up(40))
    answer = engine.pool.submit(engine.series, "n!=")
    assert engine.faulty.wait_for(1)
    requests = engine.store.count("get_range", CHUNKS)
    engine.faulty.release()
    answer.result(10)
    assert requests == 1


@pytest.mark.usefixtures("small_windows")
def test_a_quick_store_is_asked_for_a_window_when_its_turn_comes(engine: Any, up: Any) -> None:
    engine.add(up(40))
    engine.be_quick()
    steps = engine.stream("n!=")
    requests = []
    for frames in steps:
        if frames:
            requests.append(engine.store.count("get_range", CHUNKS))
    steps.close()
    assert requests == list(range(1, len(requests) + 1))


def test_merged_series_and_chunks_are_counted_after_folding(engine: Any, up: Any) -> None:
    for replica in "ab":
        engine.add(up(3, samples=4), {"replica": replica}, samples_per_chunk=2)
    engine.series("n!=", without_replica_labels=("replica",))
    (stats,) = engine.finished.stats
    assert (stats.merged_series_count, stats.merged_chunks_count) == (3, 6)


def test_without_chunks_none_are_counted(engine: Any, up: Any) -> None:
    engine.add(up(3, samples=4))
    engine.series("n!=", skip_chunks=True)
    (stats,) = engine.finished.stats
    assert (stats.merged_series_count, stats.merged_chunks_count) == (3, 0)
