"""LabelNames and LabelValues."""

from __future__ import annotations

import time
from typing import Any

import pytest

from storegate.errors import DeadlineError, InvalidRequestError, LimitError, UnavailableError
from storegate.query.call import Call
from storegate.query.request import LabelMatcher
from storegate.testing.faults import Fault, FaultyStore

DAY = 86_400_000
POINT = [(0, 1.0)]
SERIES = [
    ({"__name__": "up", "job": "a", "pod": "p1"}, POINT),
    ({"__name__": "up", "job": "b"}, POINT),
    ({"__name__": "down", "job": "c", "zone": "z"}, POINT),
]


@pytest.fixture
def served(engine: Any) -> Any:
    """One block with the external label region="eu"."""
    engine.add(SERIES, {"region": "eu"})
    return engine


# --- names ---


def test_names_without_matchers_are_all_names_and_external_labels(served: Any) -> None:
    assert served.names().values == ["__name__", "job", "pod", "region", "zone"]


def test_names_without_matchers_read_nothing_from_the_bucket(served: Any) -> None:
    served.names()
    assert served.store.count() == 0


def test_names_of_matching_series_only(served: Any) -> None:
    assert served.names("job=a").values == ["__name__", "job", "pod", "region"]


def test_names_are_none_where_nothing_matches(served: Any) -> None:
    assert served.names("job=x").values == []


def test_matchers_on_external_labels_alone_give_all_names(served: Any) -> None:
    assert served.names("region=eu").values == served.names().values


def test_external_labels_refuse_a_block(served: Any) -> None:
    assert served.names("region=us").values == []


def test_names_are_cut_to_the_limit_after_sorting(served: Any) -> None:
    assert served.names(limit=2).values == ["__name__", "job"]


def test_an_external_replica_label_is_left_out_of_names(served: Any) -> None:
    assert "region" not in served.names(without_replica_labels=("region",)).values


def test_a_replica_label_of_series_stays_without_matchers(served: Any) -> None:
    assert "pod" in served.names(without_replica_labels=("pod",)).values


def test_a_replica_label_of_series_is_left_out_with_matchers(served: Any) -> None:
    assert "pod" not in served.names("job=a", without_replica_labels=("pod",)).values


def test_an_external_label_of_empty_value_removes_the_name_from_matching_series(engine: Any) -> None:
    engine.add(SERIES, {"pod": ""})
    assert engine.names("job=a").values == ["__name__", "job"]


def test_names_of_all_blocks_come_together(served: Any) -> None:
    served.add([({"other": "1"}, POINT)], {"region": "us"})
    assert {"other", "zone"} <= set(served.names().values)


def test_blocks_that_were_asked_are_told(served: Any) -> None:
    block = served.add([({"other": "1"}, POINT)], {"region": "us"})
    assert served.names("region=us").blocks == (block.meta.ulid,)


def test_hints_choose_the_blocks_of_a_label_call(served: Any) -> None:
    block = served.add([({"other": "1"}, POINT)], {"region": "us"})
    answer = served.names(block_matchers=(LabelMatcher(0, "__block_id", block.meta.ulid),))
    assert answer.values == ["other", "region"]


def test_series_out_of_the_time_range_count_without_matchers(engine: Any) -> None:
    engine.add([({"a": "1"}, POINT), ({"b": "1"}, [(DAY, 1.0)])])
    assert engine.names(start=0, end=1).values == ["a", "b"]


def test_series_out_of_the_time_range_do_not_count_with_matchers(engine: Any) -> None:
    engine.add([({"a": "1", "c": "1"}, POINT), ({"b": "1", "c": "1"}, [(DAY, 1.0)])])
    assert engine.names("c=1", start=0, end=1).values == ["a", "c"]


def test_blocks_out_of_the_time_range_are_not_asked(served: Any) -> None:
    assert served.names(start=1, end=DAY).blocks == ()


def test_blocks_of_every_resolution_are_asked(engine: Any) -> None:
    engine.add([({"a": "1"}, POINT)])
    engine.add([({"b": "1"}, POINT)], resolution=300_000)
    assert engine.names().values == ["a", "b"]


def test_the_time_that_is_served_does_not_cut_a_label_call(make_engine: Any) -> None:
    engine = make_engine(settings={"time": {"min_time": "2020-01-01T00:00:00Z"}})
    engine.add([({"a": "1"}, POINT)])
    assert engine.names("a=1").values == ["a"]


# --- values ---


def test_values_without_matchers_are_all_values(served: Any) -> None:
    assert served.values("job").values == ["a", "b", "c"]


def test_values_of_matching_series_only(served: Any) -> None:
    assert served.values("job", "__name__=up").values == ["a", "b"]


def test_values_of_an_unknown_label_are_none(served: Any) -> None:
    assert served.values("nothing").values == []


def test_values_are_cut_to_the_limit_after_sorting(served: Any) -> None:
    assert served.values("job", limit=2).values == ["a", "b"]


def test_values_of_an_external_label_come_without_matchers(served: Any) -> None:
    assert served.values("region").values == ["eu"]


def test_values_of_an_external_label_come_with_matchers(served: Any) -> None:
    assert served.values("region", "job=a").values == ["eu"]


def test_no_series_no_external_value(served: Any) -> None:
    assert served.values("region", "job=x").values == []


def test_the_external_value_wins_over_those_of_series(engine: Any) -> None:
    engine.add(SERIES, {"job": "outer"})
    assert engine.values("job", "__name__=up").values == ["outer"]


def test_without_matchers_values_behind_an_external_label_show_too(engine: Any) -> None:
    engine.add(SERIES, {"job": "outer"})
    assert engine.values("job").values == ["a", "b", "c", "outer"]


def test_an_external_label_of_empty_value_has_no_values(engine: Any) -> None:
    engine.add(SERIES, {"job": ""})
    assert engine.values("job", "__name__=up").values == []


def test_a_replica_label_has_no_values_and_needs_no_blocks(served: Any) -> None:
    answer = served.values("pod", without_replica_labels=("pod",))
    assert (answer.values, answer.blocks) == ([], None)


def test_the_label_of_all_postings_has_no_values(served: Any) -> None:
    assert served.values("").values == []


def test_only_series_that_have_the_label_are_scanned(served: Any) -> None:
    assert served.values("pod", "job!=").values == ["p1"]
    assert served.finished.stats[-1].series_touched == 1


def test_a_matcher_that_names_the_metric_needs_no_narrowing(served: Any) -> None:
    assert served.values("pod", "__name__=up").values == ["p1"]
    assert served.finished.stats[-1].series_touched == 2


def test_an_external_label_is_not_narrowed(served: Any) -> None:
    assert served.values("region", "job!=").values == ["eu"]
    assert served.finished.stats[-1].series_touched == 3


def test_narrowed_postings_are_not_kept_as_those_of_the_matchers(served: Any) -> None:
    served.values("pod", "job!=")
    assert len(served.labels("job!=")) == 3


# --- what both share ---


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_batches_do_not_change_the_values(make_engine: Any, batch: int) -> None:
    engine = make_engine(settings={"query": {"series_batch": batch}})
    engine.add(SERIES)
    assert engine.values("job", "__name__!=").values == ["a", "b", "c"]


def test_candidates_of_a_label_call_count_against_the_series_limit(make_engine: Any) -> None:
    engine = make_engine(settings={"limits": {"series": 2}})
    engine.add(SERIES)
    with pytest.raises(LimitError, match=r"exceeded series limit: limit 2 violated \(got 3\)"):
        engine.names("job!=")


def test_a_limit_of_the_answer_does_not_cut_candidates(make_engine: Any) -> None:
    engine = make_engine(settings={"limits": {"series": 2}})
    engine.add(SERIES)
    with pytest.raises(LimitError):
        engine.names("job!=", limit=1)


def test_answers_from_index_headers_alone_are_not_limited(make_engine: Any) -> None:
    engine = make_engine(settings={"limits": {"series": 1, "bytes": 1}})
    engine.add(SERIES)
    assert engine.values("job").values == ["a", "b", "c"]


def test_lazy_matchers_hold_for_label_calls(make_engine: Any) -> None:
    engine = make_engine(settings={"query": {"lazy_expanded_postings": True, "series_size": 1}})
    engine.add([({"few": f"{n // 3}", "n": f"{n:03}", "wide": "xyz"[n % 3]}, POINT) for n in range(300)])
    assert engine.values("n", "few=7", "wide!=y").values == ["021", "023"]


def test_a_label_call_does_not_pass_the_gate(make_engine: Any) -> None:
    engine = make_engine(settings={"limits": {"concurrency": 1}})
    engine.add(SERIES)
    assert engine.gate.try_enter()
    assert engine.values("job").values == ["a", "b", "c"]


def test_an_error_names_its_block(make_engine: Any) -> None:
    def damage(data: bytes) -> bytes:
        return bytes(len(data))

    engine = make_engine(wrap=lambda store: FaultyStore(store, Fault(key="*/index", change=damage)))
    block = engine.add(SERIES)
    with pytest.raises(Exception, match=block.meta.ulid) as raised:
        engine.names("job!=")
    assert raised.value.block == block.meta.ulid  # type: ignore[attr-defined]


def test_an_error_of_the_store_comes_through(make_engine: Any) -> None:
    fault = Fault(key="*/index", error=UnavailableError("down"))
    engine = make_engine(wrap=lambda store: FaultyStore(store, fault))
    engine.add(SERIES)
    with pytest.raises(UnavailableError):
        engine.names("job!=")


def test_an_error_lets_the_blocks_go(make_engine: Any) -> None:
    fault = Fault(key="*/index", error=UnavailableError("down"))
    engine = make_engine(wrap=lambda store: FaultyStore(store, fault))
    block = engine.add(SERIES)
    with pytest.raises(UnavailableError):
        engine.names("job!=")
    block.drop()
    assert not block.header_loaded


def test_a_deadline_ends_a_label_call(served: Any) -> None:
    with pytest.raises(DeadlineError):
        served.values("job", "__name__=up", call=Call(deadline=time.monotonic()))


def test_a_bad_matcher_is_an_invalid_request(served: Any) -> None:
    with pytest.raises(InvalidRequestError, match="regexp"):
        served.values("job", "a=~(")


def test_a_bad_hint_is_an_invalid_request(served: Any) -> None:
    with pytest.raises(InvalidRequestError):
        served.names(block_matchers=(LabelMatcher(7, "a", "b"),))


@pytest.mark.parametrize(("method", "call"), [("LabelNames", "names"), ("LabelValues", "values")])
def test_a_label_call_is_reported_by_its_name(served: Any, method: str, call: str) -> None:
    getattr(served, call)(*(["job"] if call == "values" else []))
    assert [stats.method for stats in served.finished.stats] == [method]
