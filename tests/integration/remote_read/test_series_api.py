"""Prometheus' APIs about labels, as far as it asks remote read for them, and its own external labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from remote_read.blocks import END, T0, write_prometheus
from servers.prometheus import Prometheus

REMOTE_READ_FROM_US = """\
global:
  external_labels: {{cluster: us}}
remote_read:
  - url: http://{address}/api/v1/read
    read_recent: true
"""
RANGE = {"start": str(T0 / 1000), "end": str(END / 1000)}


def series(server: Prometheus, *matchers: str, **changes: str) -> list[dict[str, str]]:
    document = server.api("series", **{"match[]": list(matchers)}, **(RANGE | changes))
    assert document["status"] == "success"
    return sorted(document["data"], key=lambda labels: sorted(labels.items()))


@pytest.mark.parametrize(
    "matchers",
    [['{__name__=~".+"}'], ["up"], ['{cluster="eu"}', "odd"], ['http_requests_total{code=~"5.."}'], ["nothing"]],
)
def test_the_series_api_agrees(local: Prometheus, remote: Prometheus, matchers: Sequence[str]) -> None:
    assert series(remote, *matchers) == series(local, *matchers)


def test_the_series_api_agrees_on_a_part_of_the_time(local: Prometheus, remote: Prometheus) -> None:
    asked = {"start": str(T0 / 1000 + 4 * 3600), "end": str(T0 / 1000 + 5 * 3600)}  # within the gap of one cluster
    assert series(remote, '{__name__=~".+"}', **asked) == series(local, '{__name__=~".+"}', **asked)


@pytest.mark.parametrize("path", ["labels", "label/cluster/values"])
def test_label_apis_of_a_remote_reader_answer_without_remote_labels(remote: Prometheus, path: str) -> None:
    """Remote read has no call for them: it says so, or gives nothing, but never an error."""
    document = remote.api(path, **RANGE)
    assert (document["status"], document["data"]) == ("success", [])


@pytest.fixture(scope="module")
def american(start_prometheus: Callable[..., Prometheus], gateway: Any) -> Prometheus:
    """An empty Prometheus of cluster `us`: it asks for its own external labels, and takes them off the answer."""
    return start_prometheus(REMOTE_READ_FROM_US.format(address=gateway.http_address))


@pytest.fixture(scope="module")
def local_american(start_prometheus: Callable[..., Prometheus], tmp_path_factory: pytest.TempPathFactory) -> Prometheus:
    """A Prometheus that has the blocks of cluster `us` itself."""
    folder = tmp_path_factory.mktemp("american")
    write_prometheus(folder / "data", only="us")
    return start_prometheus("global: {}\n", folder)


@pytest.mark.parametrize(
    "query",
    ["up", "rate(http_requests_total[10m])", "backfilled", 'count({job="web"}) by (__name__)', 'up{cluster="eu"}'],
)
def test_external_labels_of_prometheus_choose_blocks(
    american: Prometheus, local_american: Prometheus, query: str
) -> None:
    asked = {"query": query, "start": str(T0 / 1000), "end": str(END / 1000), "step": "300"}
    mine, theirs = (server.api("query_range", **asked)["data"]["result"] for server in (american, local_american))
    if "cluster" not in query:
        assert theirs
        assert sorted(mine, key=str) == sorted(theirs, key=str)
    else:  # a matcher of the query's own is stronger than the external label
        assert {entry["metric"]["cluster"] for entry in mine} == {"eu"}
