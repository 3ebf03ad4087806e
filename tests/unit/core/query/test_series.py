"""The Series call as a whole: what it needs to be let in, and what it lets go in the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from storegate.block.block import Block
from storegate.block.loader import BlockLoader
from storegate.block.meta import parse_meta
from storegate.errors import CancelledError, CorruptError, DeadlineError, InvalidRequestError, UnavailableError
from storegate.query import series as series_module
from storegate.query.call import Call
from storegate.query.request import LabelMatcher
from storegate.testing import write_block
from storegate.testing.faults import Fault, FaultyStore, HoldingStore

IN_FLIGHT = "thanos_bucket_store_series_gate_queries_in_flight"
CHUNKS = "*/chunks/*"


def is_held(block: Block) -> bool:
    """Whether a query holds the block; drops it, so ask once."""
    block.drop()
    return block.header_loaded


def first_frames(stream: Any) -> list[bytes]:
    """The first frames that are not empty."""
    return next(frames for frames in stream if frames)


# --- what is let go ---


def test_nothing_happens_before_the_first_step(engine: Any, up: Any) -> None:
    engine.add(up(3))
    engine.stream("n!=")
    assert engine.store.count() == 0
    assert engine.sample(IN_FLIGHT) == 0


def test_a_running_query_holds_its_blocks(engine: Any, up: Any) -> None:
    block = engine.add(up(3))
    stream = engine.stream("n!=")
    first_frames(stream)
    assert is_held(block)
    stream.close()


def test_a_running_query_holds_its_place_in_the_gate(engine: Any, up: Any) -> None:
    engine.add(up(3))
    stream = engine.stream("n!=")
    first_frames(stream)
    assert engine.sample(IN_FLIGHT) == 1
    stream.close()


def to_the_end(stream: Any, call: Call) -> None:
    list(stream)


def early(stream: Any, call: Call) -> None:
    first_frames(stream)
    stream.close()


def cancelled(stream: Any, call: Call) -> None:
    first_frames(stream)
    call.cancel()
    with pytest.raises(CancelledError):
        list(stream)


ENDS = pytest.mark.parametrize("end", [to_the_end, early, cancelled])


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storegate.query.stream.FIRST_SERIES", 2)
    monkeypatch.setattr("storegate.query.stream.SERIES", 2)


@ENDS
@pytest.mark.usefixtures("small_windows")
def test_blocks_are_let_go_in_the_end(engine: Any, up: Any, end: Callable[[Any, Call], None]) -> None:
    block = engine.add(up(20))
    call = Call()
    end(engine.stream("n!=", call=call), call)
    assert not is_held(block)


@ENDS
@pytest.mark.usefixtures("small_windows")
def test_the_place_in_the_gate_is_given_back_in_the_end(engine: Any, up: Any, end: Callable[[Any, Call], None]) -> None:
    engine.add(up(20))
    call = Call()
    end(engine.stream("n!=", call=call), call)
    assert engine.sample(IN_FLIGHT) == 0


@pytest.mark.parametrize("key", ["*/index", CHUNKS])
def test_an_error_lets_blocks_and_place_go(make_engine: Any, up: Any, key: str) -> None:
    fault = Fault(key=key, error=UnavailableError("down"))
    engine = make_engine(wrap=lambda store: FaultyStore(store, fault))
    block = engine.add(up(3))
    with pytest.raises(UnavailableError):
        list(engine.stream("n!="))
    assert (engine.sample(IN_FLIGHT), is_held(block)) == (0, False)


def test_closing_before_the_first_step_is_allowed(engine: Any) -> None:
    engine.stream("n!=").close()
    assert engine.sample(IN_FLIGHT) == 0


def test_nothing_follows_an_error(make_engine: Any, up: Any) -> None:
    fault = Fault(key=CHUNKS, error=UnavailableError("down"))
    engine = make_engine(wrap=lambda store: FaultyStore(store, fault))
    engine.add(up(3))
    stream = engine.stream("n!=")
    with pytest.raises(UnavailableError):
        list(stream)
    assert list(stream) == []


def test_a_bad_matcher_gives_the_place_back(engine: Any) -> None:
    stream = engine.stream(matchers=(LabelMatcher(9, "a", "b"),))
    with pytest.raises(InvalidRequestError, match="unknown type 9"):
        list(stream)
    assert engine.sample(IN_FLIGHT) == 0


def test_a_deadline_ends_the_wait_for_the_gate(make_engine: Any, up: Any) -> None:
    engine = make_engine(settings={"limits": {"concurrency": 1}})
    engine.add(up(3))
    inside = engine.stream("n!=")
    first_frames(inside)
    call = Call(deadline=time.monotonic() + 0.01)
    with pytest.raises(DeadlineError, match="failed to wait for turn"):
        list(engine.stream("n!=", call=call))
    inside.close()
    assert engine.sample(IN_FLIGHT) == 0


def test_a_query_that_waits_gets_the_place_of_one_that_ends(make_engine: Any, up: Any) -> None:
    engine = make_engine(settings={"limits": {"concurrency": 1}})
    engine.add(up(3))
    inside = engine.stream("n!=")
    first_frames(inside)
    waiting = engine.stream("n!=")
    assert next(waiting) == []
    answer = engine.pool.submit(list, waiting)
    inside.close()
    assert sum(map(len, answer.result(10))) == 3


# --- what is counted ---


def test_a_query_is_reported_once_however_often_it_is_closed(engine: Any, up: Any) -> None:
    engine.add(up(3))
    stream = engine.stream("n!=")
    list(stream)
    stream.close()
    stream.close()
    assert engine.finished.stats == [stream.stats]


def test_a_failed_query_is_reported_with_its_error(make_engine: Any, up: Any) -> None:
    fault = Fault(key=CHUNKS, error=UnavailableError("the bucket is down"))
    engine = make_engine(wrap=lambda store: FaultyStore(store, fault))
    engine.add(up(3))
    stream = engine.stream("n!=")
    with pytest.raises(UnavailableError):
        list(stream)
    stream.close()
    assert engine.finished.stats[0].error == "the bucket is down"


def test_queried_blocks_are_counted(engine: Any, up: Any) -> None:
    for region in ("eu", "us"):
        engine.add(up(3), {"region": region})
    engine.series("n!=")
    assert engine.finished.stats[0].blocks_queried == 2


def test_blocks_without_matching_series_are_counted(engine: Any, up: Any) -> None:
    engine.add(up(3), {"region": "eu"})
    engine.add([({"other": "1"}, [(0, 1.0)])], {"region": "us"})
    engine.series("n!=")
    assert engine.sample("thanos_bucket_store_empty_postings_total", tenant="default-tenant") == 1


# --- quick and exhausted ---


def test_the_first_step_is_quick(engine: Any) -> None:
    assert engine.stream("n!=").quick


def test_an_answer_at_hand_comes_with_the_first_step(engine: Any, up: Any) -> None:
    engine.add(up(3))
    engine.be_quick()
    stream = engine.stream("n=001")
    assert len(next(stream)) == 1
    assert stream.exhausted
    stream.close()


def slow_store(engine: Any) -> Any:
    engine.add([({"n": "1"}, [(0, 1.0)])])
    return engine.stream("n=1")


def many_blocks(engine: Any) -> Any:
    for n in range(9):
        engine.add([({"n": "1"}, [(0, 1.0)])], {"block": str(n)})
    engine.be_quick()
    return engine.stream("n=1")


def pattern(engine: Any) -> Any:
    engine.add([({"n": "1"}, [(0, 1.0)])])
    engine.be_quick()
    return engine.stream("n=~.*1.*")


def full_gate(engine: Any) -> Any:
    engine.be_quick()
    while engine.gate.try_enter():
        pass
    return engine.stream("n=1")


@pytest.mark.parametrize("case", [slow_store, many_blocks, pattern, full_gate])
def test_a_step_that_may_take_long_is_announced_by_an_empty_one(engine: Any, case: Callable[[Any], Any]) -> None:
    stream = case(engine)
    assert next(stream) == []
    assert not stream.quick
    stream.close()


def test_many_candidates_are_not_quick(engine: Any, up: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_module, "QUICK_SERIES", 2)
    engine.add(up(3))
    engine.be_quick()
    stream = engine.stream("__name__=up")
    assert next(stream) == []
    assert not stream.quick
    stream.close()


def test_the_last_frames_are_known_to_be_the_last(engine: Any, up: Any) -> None:
    engine.add(up(3))
    stream = engine.stream("n!=")
    first_frames(stream)
    assert stream.exhausted
    stream.close()


@pytest.mark.usefixtures("small_windows")
def test_frames_before_the_last_are_not(engine: Any, up: Any) -> None:
    engine.add(up(3))
    stream = engine.stream("n!=")
    first_frames(stream)
    assert not stream.exhausted
    first_frames(stream)
    assert stream.exhausted
    stream.close()


@pytest.mark.usefixtures("small_windows")
def test_a_batch_that_ends_with_the_stream_is_the_last(engine: Any, up: Any) -> None:
    engine.add(up(6))
    stream = engine.stream("n!=", batch_size=3)
    states = [(len(frames), stream.exhausted) for frames in stream if frames]
    stream.close()
    assert states == [(1, False), (1, True)]


def test_an_empty_answer_is_exhausted(engine: Any) -> None:
    stream = engine.stream("n!=")
    assert [frame for frames in stream for frame in frames] == []
    assert stream.exhausted
    stream.close()


# --- which blocks ---


def test_blocks_are_told_with_the_first_frames(engine: Any, up: Any) -> None:
    ulids = [engine.add(up(3), {"region": region}).meta.ulid for region in ("eu", "us")]
    stream = engine.stream("n!=")
    assert stream.blocks == ()
    first_frames(stream)
    assert stream.blocks == tuple(ulids)
    stream.close()


def test_external_labels_choose_blocks(engine: Any, up: Any) -> None:
    for region in ("eu", "us"):
        engine.add(up(1), {"region": region})
    (labels,) = engine.labels("n!=", "region=us")
    assert dict(labels)["region"] == "us"


def test_matchers_on_external_labels_alone_select_no_series(engine: Any, up: Any) -> None:
    engine.add(up(3), {"region": "eu"})
    assert engine.labels("region=eu") == []


def test_no_matchers_select_no_series(engine: Any, up: Any) -> None:
    engine.add(up(3))
    assert engine.labels() == []


def test_hints_choose_blocks(engine: Any, up: Any) -> None:
    engine.add(up(1), {"region": "eu"})
    block = engine.add(up(1), {"region": "us"})
    stream = engine.stream("n!=", block_matchers=(LabelMatcher(0, "__block_id", block.meta.ulid),))
    list(stream)
    stream.close()
    assert stream.blocks == (block.meta.ulid,)


def test_a_negative_resolution_is_none(engine: Any, up: Any) -> None:
    engine.add(up(3))
    assert len(engine.labels("n!=", max_resolution=-1)) == 3


def test_the_time_that_is_served_cuts_the_request(make_engine: Any, up: Any) -> None:
    engine = make_engine(settings={"time": {"min_time": "2020-01-01T00:00:00Z", "max_time": "2021-01-01T00:00:00Z"}})
    year = 1_577_836_800_000  # 2020
    engine.add([({"a": "1"}, [(year - 1, 1.0)]), ({"a": "2"}, [(year, 1.0)]), ({"a": "3"}, [(year * 2, 1.0)])])
    assert engine.labels("a!=") == [(("a", "2"),)]


def test_a_range_that_ends_before_it_begins_is_empty(engine: Any, up: Any) -> None:
    engine.add(up(3))
    assert engine.labels("n!=", min_time=5, max_time=4) == []


def test_a_block_that_was_dropped_after_the_selection_is_replaced(engine: Any, up: Any) -> None:
    block = engine.add(up(3))
    block.drop()
    again = engine.open(block.meta.ulid)
    snapshots = iter([engine.catalog.snapshot()])
    engine.catalog.add(again)
    current = engine.catalog.snapshot
    engine.catalog.snapshot = lambda: next(snapshots, None) or current()
    assert len(engine.labels("n!=")) == 3


def test_a_lazy_block_whose_index_turns_out_broken_is_left_out(engine: Any, up: Any, tmp_path: Path) -> None:
    engine.add(up(3), {"region": "eu"})
    ulid = write_block(engine.bucket, up(3), external_labels={"region": "us"}, seed=1).ulid
    engine.bucket.put(f"{ulid}/index", b"no index" * 100)

    def leave(block: Block, error: Exception) -> None:
        engine.catalog.remove(block.meta.ulid)
        block.drop()

    settings = SimpleNamespace(lazy=True, lazy_download=True, sampling=32)
    loader = BlockLoader(engine.bucket, tmp_path, settings, engine.metrics, on_broken=leave)
    engine.catalog.add(loader.open(parse_meta(engine.bucket.get(f"{ulid}/meta.json"), ulid)))
    assert {dict(labels)["region"] for labels in engine.labels("n!=")} == {"eu"}


def test_a_broken_block_that_stays_fails_the_query_with_its_name(engine: Any, up: Any, tmp_path: Path) -> None:
    ulid = write_block(engine.bucket, up(3), seed=1).ulid
    engine.bucket.put(f"{ulid}/index", b"no index" * 100)
    loader = BlockLoader(
        engine.bucket, tmp_path, SimpleNamespace(lazy=True, lazy_download=True, sampling=32), engine.metrics
    )
    engine.catalog.add(loader.open(parse_meta(engine.bucket.get(f"{ulid}/meta.json"), ulid)))
    with pytest.raises(CorruptError) as raised:
        engine.labels("n!=")
    assert (raised.value.block, raised.value.stage) == (ulid, "postings")


def test_errors_while_postings_are_read_have_that_stage(make_engine: Any, up: Any) -> None:
    fault = Fault(key="*/index", error=lambda: UnavailableError("down"))
    engine = make_engine(wrap=lambda store: FaultyStore(store, fault))
    engine.add(up(3))
    with pytest.raises(UnavailableError) as raised:
        engine.labels("n!=")
    assert raised.value.stage == "postings"


def test_cancelling_ends_the_wait_for_postings(make_engine: Any, up: Any) -> None:
    engine = make_engine(wrap=lambda store: HoldingStore(store, key="*/index"))
    for region in ("eu", "us"):
        engine.add(up(3), {"region": region})
    call = Call()
    answer = engine.pool.submit(engine.series, "n!=", call=call)
    assert engine.faulty.reached.wait(10)
    call.cancel()
    assert isinstance(answer.exception(10), CancelledError)
    engine.faulty.release()
