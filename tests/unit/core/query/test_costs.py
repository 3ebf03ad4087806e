"""Where time, requests and bytes of a query go."""

from __future__ import annotations

from typing import Any

import pytest

from storegate.errors import NotFoundError
from storegate.query import costs as module
from storegate.query.costs import QueryCosts


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the costs see, in a list of one."""
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    return now


def seconds(costs: QueryCosts) -> dict[str, float]:
    return {stage: cost.seconds for stage, cost in costs.stages.items()}


def test_each_stage_lasts_until_the_next(clock: list[float]) -> None:
    costs = QueryCosts()
    for stage, lasts in (("plan", 1), ("postings", 2), ("", 0)):
        costs.enter(stage)
        clock[0] += lasts
    assert (seconds(costs), costs.seconds) == ({"plan": 1.0, "postings": 2.0}, 3.0)


def test_waiting_for_the_client_is_a_stage_of_its_own(clock: list[float]) -> None:
    costs = QueryCosts()
    costs.enter("chunks")
    clock[0] += 1
    costs.wait_for_client()
    clock[0] += 10
    costs.go_on()
    clock[0] += 2
    costs.enter("")
    assert seconds(costs) == {"chunks": 3.0, "client": 10.0}


def test_the_first_step_of_a_query_is_the_gate(clock: list[float]) -> None:
    costs = QueryCosts()
    costs.go_on()
    assert costs.stage == "gate"


def test_reads_count_for_the_stage_at_work_while_the_client_is_waited_for(clock: list[float]) -> None:
    costs = QueryCosts()
    costs.enter("chunks")
    costs.wait_for_client()
    costs.read_done("A", 10, 0.5)
    costs.read_done("B", 5, 0.25)
    costs.read_done("A", 1, 0.25)
    assert (costs.stages["chunks"].requests, costs.stages["chunks"].bytes) == (3, 16)
    assert (costs.blocks["A"].requests, costs.blocks["A"].bytes, costs.blocks["A"].seconds) == (2, 11, 0.75)
    assert (costs.requests, costs.bytes) == (3, 16)


def test_lookups_count_for_the_stage() -> None:
    costs = QueryCosts()
    costs.enter("series")
    costs.looked_up(5, 2)
    costs.looked_up(1, 1)
    assert (costs.stages["series"].lookups, costs.stages["series"].hits) == (6, 3)


def test_a_matcher_that_runs_for_several_blocks_adds_up() -> None:
    costs = QueryCosts()
    costs.matched('a=~".x"', 1.0)
    costs.matched('a=~".x"', 2.0)
    assert costs.matcher_seconds == {'a=~".x"': 3.0}


# --- what the engine puts on the bill ---


def test_a_query_is_billed_by_stage_and_block(engine: Any, up: Any) -> None:
    ulids = [engine.add(up(3)).meta.ulid, engine.add(up(3)).meta.ulid]
    engine.frames("n!=")
    (stats,) = engine.finished.stats
    costs = stats.costs
    assert list(costs.stages) == ["gate", "plan", "postings", "series", "merge", "chunks", "client"]
    assert sorted(costs.blocks) == sorted(ulids)
    assert costs.requests == engine.store.count()
    assert costs.bytes == engine.store.transferred()
    assert costs.matchers == ('n!=""',)
    assert list(costs.matcher_seconds) == ['n!=""']


def test_a_label_call_is_billed_even_when_it_fails(engine: Any, up: Any) -> None:
    block = engine.add(up(3))
    engine.bucket.delete(block.index_key)
    with pytest.raises(NotFoundError):
        engine.values("n", "n!=")
    (stats,) = engine.finished.stats
    assert stats.error
    assert "series" in stats.costs.stages


def test_chunk_reads_side_by_side_take_their_time_once_by_the_clock(clock: list[float]) -> None:
    costs = QueryCosts()
    costs.enter("series")
    costs.read_done("A", 10, 2.0)
    costs.enter("chunks")
    costs.read_done("A", 10, 0.5)
    clock[0] += 0.25
    costs.read_done("A", 10, 0.5)
    assert costs.chunk_reads() == [(1.0, 0.75)]


def test_a_block_without_reads_of_chunks_has_no_time_of_them() -> None:
    costs = QueryCosts()
    costs.enter("series")
    costs.read_done("A", 10, 2.0)
    assert costs.chunk_reads() == []
