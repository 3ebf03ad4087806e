"""The slow-query log."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

import storegate
import storegate_slow_queries
from storegate.query.costs import BlockCost, QueryCosts, StageCost
from storegate.query.stats import QueryStats
from storegate_slow_queries import SlowQueryConfig
from storegate_slow_queries.observer import make_observer


def lines(stats: QueryStats, **config: Any) -> list[dict[str, Any]]:
    """What is logged of a query."""
    with structlog.testing.capture_logs() as found:
        context = storegate.PluginContext(name="slow", log=structlog.get_logger(), registry=CollectorRegistry())
        make_observer(SlowQueryConfig(**config), context).query_finished(stats)
    return [dict(line) for line in found]


@pytest.fixture
def stats() -> QueryStats:
    costs = QueryCosts(
        matchers=('__name__="up"', 'pod=~".*x"'),
        min_time=1,
        max_time=2,
        request_id="r-1",
        seconds=12.3456,
        stages={
            "plan": StageCost(0.0, 0.001),
            "postings": StageCost(0.0, 2.0, requests=3, bytes=2048, lookups=5, hits=2),
            "client": StageCost(0.0, 1.0),
        },
        blocks={"A": BlockCost(1, 100, 0.5), "B": BlockCost(2, 3 << 20, 1.5)},
        matcher_seconds={'pod=~".*x"': 0.75},
    )
    return QueryStats(method="Series", tenant="t", blocks_queried=2, merged_series_count=7, costs=costs)


def test_hook_storegate_observers_registers_it() -> None:
    (provider,) = storegate_slow_queries.storegate_observers()
    assert provider.name == "slow-query-log"


def test_a_slow_query_is_one_warning(stats: QueryStats) -> None:
    (line,) = lines(stats)
    assert (line["log_level"], line["event"]) == ("warning", "slow query")
    assert (line["method"], line["tenant"], line["request_id"], line["seconds"]) == ("Series", "t", "r-1", 12.346)
    assert line["matchers"] == '{__name__="up", pod=~".*x"}'
    assert (line["blocks"], line["series"], line["requests"], line["read"]) == (2, 7, 3, "3.0MiB")


def test_it_tells_the_stages_with_requests_and_cache_hits(stats: QueryStats) -> None:
    (line,) = lines(stats)
    assert line["stages"] == "plan 0.001s; postings 2.000s (3 requests, 2.0KiB, cache 2/5); client 1.000s"


def test_it_names_the_blocks_that_took_longest(stats: QueryStats) -> None:
    (line,) = lines(stats, blocks=1)
    assert line["slowest_blocks"] == "B 2 requests, 3.0MiB in 1.500s"


def test_it_names_the_dearest_matcher(stats: QueryStats) -> None:
    (line,) = lines(stats)
    assert line["dearest_matcher"] == 'pod=~".*x" 0.750s'


def test_a_quick_query_is_not_logged(stats: QueryStats) -> None:
    assert lines(stats, threshold="12s") == []


def test_waiting_for_the_client_does_not_make_a_query_slow(stats: QueryStats) -> None:
    assert lines(stats, threshold="11.4s") == []
    assert len(lines(stats, threshold="11.3s")) == 1


def test_an_error_is_told(stats: QueryStats) -> None:
    stats.error = "the bucket burns"
    (line,) = lines(stats)
    assert line["err"] == "the bucket burns"


def test_long_matchers_are_cut(stats: QueryStats) -> None:
    stats.costs.matchers = ("x" * 500,)
    (line,) = lines(stats, matchers_length=20)
    assert len(line["matchers"]) == 20
