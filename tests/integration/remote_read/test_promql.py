"""Prometheus' own engine over remote read gives what it gives over the same blocks of its own, to the last bit."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from remote_read.blocks import END, T0
from remote_read.queries import INSTANT, INSTANTS, RANGE
from servers.prometheus import Prometheus


def comparable(document: dict[str, Any]) -> Any:
    """The answer without the order of its series, which most queries leave open."""
    data = document.get("data", {})
    if isinstance(data.get("result"), list):
        data["result"].sort(key=lambda entry: json.dumps(entry, sort_keys=True))
    return document


OLD_CLIENT = re.compile("rpc_")
"""Prometheus reads native histograms remotely since 2.44, and Debian's is older: see the other two ways for these."""
FLOATS = [query for query in INSTANT if not OLD_CLIENT.search(query)]
RANGES_OF_FLOATS = [(query, step) for query, step in RANGE if not OLD_CLIENT.search(query)]


def assert_instants_agree(server: Prometheus, local: Prometheus, query: str) -> None:
    for time in INSTANTS:
        asked = {"query": query, "time": str(time)}
        assert comparable(server.api("query", **asked)) == comparable(local.api("query", **asked))


def assert_ranges_agree(server: Prometheus, local: Prometheus, query: str, step: int) -> None:
    asked = {"query": query, "start": str(T0 / 1000 - 60), "end": str(END / 1000 + 400), "step": str(step)}
    answer = comparable(server.api("query_range", **asked))
    assert answer["data"]["result"]
    assert answer == comparable(local.api("query_range", **asked))


def test_there_are_enough_queries() -> None:
    assert len(FLOATS) >= 60


@pytest.mark.parametrize("query", FLOATS)
def test_instant_queries_over_remote_read_agree(local: Prometheus, remote: Prometheus, query: str) -> None:
    assert_instants_agree(remote, local, query)


@pytest.mark.parametrize(("query", "step"), RANGES_OF_FLOATS)
def test_range_queries_over_remote_read_agree(local: Prometheus, remote: Prometheus, query: str, step: int) -> None:
    assert_ranges_agree(remote, local, query, step)


@pytest.mark.parametrize("query", INSTANT)
def test_instant_queries_over_streamed_chunks_agree(local: Prometheus, streamed: Prometheus, query: str) -> None:
    assert_instants_agree(streamed, local, query)


@pytest.mark.parametrize(("query", "step"), RANGE)
def test_range_queries_over_streamed_chunks_agree(
    local: Prometheus, streamed: Prometheus, query: str, step: int
) -> None:
    assert_ranges_agree(streamed, local, query, step)


@pytest.mark.parametrize("query", INSTANT)
def test_instant_queries_over_answered_samples_agree(local: Prometheus, sampled: Prometheus, query: str) -> None:
    assert_instants_agree(sampled, local, query)


@pytest.mark.parametrize(("query", "step"), RANGE)
def test_range_queries_over_answered_samples_agree(
    local: Prometheus, sampled: Prometheus, query: str, step: int
) -> None:
    assert_ranges_agree(sampled, local, query, step)
