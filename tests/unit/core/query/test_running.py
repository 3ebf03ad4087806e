"""Queries that run, seen from outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from storegate.errors import CancelledError
from storegate.query.call import Call


@pytest.fixture
def stream(engine: Any, up: Any) -> Iterator[Any]:
    engine.add(up(600))
    call = Call(tenant="a", request_id="r-1")
    made = engine.stream("n!=", call=call, min_time=-5, max_time=10**9, batch_size=64)
    yield made
    made.close()


def test_a_query_is_listed_until_it_is_closed(engine: Any, stream: Any) -> None:
    running = engine.shared.running
    (query,) = running.list()
    assert (query.method, query.tenant, query.request_id, query.matchers) == ("Series", "a", "r-1", ('n!=""',))
    assert (query.min_time, query.max_time) == (-5, 10**9)
    stream.close()
    assert running.list() == []


def test_a_query_whose_client_is_slow_is_told_from_one_at_work(engine: Any, stream: Any) -> None:
    while not next(stream):
        pass
    (query,) = engine.shared.running.list()
    assert query.waits_for_client
    assert query.series > 0
    assert query.requests == engine.store.count()


def test_a_cancelled_query_ends_at_its_next_step(engine: Any, stream: Any) -> None:
    (query,) = engine.shared.running.list()
    assert engine.shared.running.cancel(query.id)
    with pytest.raises(CancelledError):
        list(stream)


def test_a_query_that_has_ended_cannot_be_cancelled(engine: Any, stream: Any) -> None:
    (query,) = engine.shared.running.list()
    stream.close()
    assert not engine.shared.running.cancel(query.id)


def test_numbers_are_not_used_again(engine: Any, stream: Any) -> None:
    (first,) = engine.shared.running.list()
    stream.close()
    engine.frames("n!=")
    assert engine.shared.running.list() == []
    assert not engine.shared.running.cancel(first.id)
