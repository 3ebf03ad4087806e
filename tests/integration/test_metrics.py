"""`/metrics` of the real command against the metrics of `thanos store`: names, types, labels, buckets."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import numpy as np
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from thanos import MetricFact, metrics

from storegate.testing import write_block_arrays
from storegate_proto.info.infopb import rpc_pb2 as info_pb2
from storegate_proto.info.infopb import rpc_pb2_grpc as info_pb2_grpc
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

BASE = 1_700_000_000_000  # ms
CONFIGURED = {"", "index cache in memory", "caching bucket", "caching bucket in memory", "matcher cache"}
FACTS = [fact for fact in metrics() if fact.when in CONFIGURED]
FLAGS = [
    "--index-cache.config={type: IN-MEMORY, config: {max_size: 16MB}}",
    "--store.caching-bucket.config={type: IN-MEMORY, config: {max_size: 16MB}}",
    "--matcher-cache-size=16",
]
FORMER_NAME = "thanos_bucket_store_series_gate_duration_seconds"
"""What the alerts and dashboards that come with the reference still ask for."""
WINDOW = {"min_time": BASE, "max_time": BASE + 10**8}
HEAD = [{"name": "__name__", "value": "up"}]
REGEX = [{"type": "RE", "name": "n", "value": "0.+"}]


def name_of(fact: MetricFact) -> str:
    return fact.name


@pytest.fixture(scope="module")
def store(start_store: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("bucket")
    labels = [{"__name__": "up", "n": f"{number:03}"} for number in range(50)]
    values = np.random.default_rng(1).normal(size=(50, 60))
    write_block_arrays(folder, labels, BASE + 15_000 * np.arange(60), values, external_labels={"region": "eu"}, seed=1)
    with start_store(folder, FLAGS) as running:
        yield running


def families(store: Any) -> dict[str, Metric]:
    text = store.get("/metrics")[1].decode()
    return {family.name + ("_total" if family.type == "counter" else ""): family for family in parsed(text)}


def parsed(text: str) -> Iterator[Metric]:
    yield from text_string_to_metric_families(text)


@pytest.fixture(scope="module")
def fresh(store: Any) -> dict[str, Metric]:
    """Before anything was asked for."""
    return families(store)


@pytest.fixture(scope="module")
def used(store: Any, fresh: dict[str, Metric]) -> dict[str, Metric]:
    """After each kind of request, the Series call twice."""
    with grpc.insecure_channel(store.grpc_address) as channel:
        calls = rpc_pb2_grpc.StoreStub(channel)
        for _ in range(2):
            list(calls.Series(rpc_pb2.SeriesRequest(matchers=HEAD + REGEX, **WINDOW), timeout=30))
        calls.LabelNames(rpc_pb2.LabelNamesRequest(start=BASE, end=BASE + 10**8, matchers=HEAD), timeout=30)
        calls.LabelValues(rpc_pb2.LabelValuesRequest(label="n", start=BASE, end=BASE + 10**8), timeout=30)
        info_pb2_grpc.InfoStub(channel).Info(info_pb2.InfoRequest(), timeout=30)
    urllib.request.urlopen(f"http://{store.http_address}/api/v1/blocks?view=loaded", timeout=30).close()
    return families(store)


def labels_of(family: Metric) -> set[frozenset[str]]:
    return {frozenset(set(sample.labels) - {"le"}) for sample in family.samples}


def has(family: Metric, wanted: Mapping[str, str]) -> bool:
    return any(wanted.items() <= sample.labels.items() for sample in family.samples)


@pytest.mark.parametrize("fact", FACTS, ids=name_of)
def test_a_metric_has_its_type_and_labels(used: dict[str, Metric], fact: MetricFact) -> None:
    family = used[fact.name]
    assert family.type == fact.type
    assert labels_of(family) == {frozenset(fact.labels)}


@pytest.mark.parametrize("fact", [fact for fact in FACTS if fact.type == "histogram"], ids=name_of)
def test_a_histogram_has_its_buckets(used: dict[str, Metric], fact: MetricFact) -> None:
    samples = used[fact.name].samples
    bounds = {float(sample.labels["le"]) for sample in samples if sample.name.endswith("_bucket")}
    assert sorted(bounds) == [*fact.buckets, float("inf")]


@pytest.mark.parametrize("fact", [fact for fact in FACTS if fact.series], ids=name_of)
def test_known_label_values_are_there_from_the_start(fresh: dict[str, Metric], fact: MetricFact) -> None:
    assert [wanted for wanted in fact.series if not has(fresh[fact.name], wanted)] == []


def test_nothing_that_is_named_thanos_is_unknown(used: dict[str, Metric]) -> None:
    known = {fact.name for fact in metrics()} | {FORMER_NAME}
    foreign = ("storegate_", "python_", "process_")
    assert [name for name in used if not name.startswith(foreign) and name not in known] == []
