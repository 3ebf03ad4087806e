"""Names, types, labels and buckets of the engine's metrics."""

from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from storegate.metrics import MAX_TENANTS, Metrics, once_per_registry
from storegate.query.stats import QueryStats

STORE = "thanos_bucket_store_"
TENANT = "default-tenant"

COUNTERS = {
    "block_loads": (),
    "block_load_failures": (),
    "block_drops": (),
    "block_drop_failures": (),
    "queries_dropped": ("reason", "tenant"),
    "series_refetches": ("tenant",),
    "chunk_refetches": ("tenant",),
    "cached_postings_compressions": ("op", "tenant"),
    "cached_postings_compression_errors": ("op", "tenant"),
    "cached_postings_compression_time_seconds": ("op", "tenant"),
    "cached_postings_original_size_bytes": ("tenant",),
    "cached_postings_compressed_size_bytes": ("tenant",),
    "empty_postings": ("tenant",),
    "lazy_expanded_postings": (),
    "lazy_expanded_posting_groups": ("reason",),
    "lazy_expanded_posting_size_bytes": (),
    "lazy_expanded_posting_series_overfetched_size_bytes": (),
    "series_gate_queries": (),
    "indexheader_lazy_load": (),
    "indexheader_lazy_load_failed": (),
    "indexheader_lazy_unload": (),
    "indexheader_lazy_unload_failed": (),
}
GAUGES = ("blocks_loaded", "blocks_last_loaded_timestamp_seconds", "series_gate_queries_max")
GAUGES += ("series_gate_queries_in_flight",)
D = (0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120)
Z = (32, 256, 512, 1024, 32768, 262144, 524288, 1048576, 33554432, 268435456, 536870912)
LOAD = (0.1, 0.2, 0.5, 1, 2, 5, 15, 30, 60, 90, 120, 300)
HEADER = (0.01, 0.02, 0.05, *LOAD)
BY_DATA, BY_TENANT = ("data_type", "tenant"), ("tenant",)
HISTOGRAMS = {
    "block_load_duration_seconds": ((), LOAD),
    "series_data_touched": (BY_DATA, tuple(200 * 2**n for n in range(15))),
    "series_data_fetched": (BY_DATA, tuple(200 * 2**n for n in range(15))),
    "series_data_size_touched_bytes": (BY_DATA, tuple(1024 * 2**n for n in range(15))),
    "series_data_size_fetched_bytes": (BY_DATA, tuple(1024 * 2**n for n in range(15))),
    "series_blocks_queried": (BY_TENANT, tuple(2**n for n in range(10))),
    "series_get_all_duration_seconds": (BY_TENANT, D),
    "series_merge_duration_seconds": (BY_TENANT, D),
    "series_result_series": (BY_TENANT, tuple(100 * 2**n for n in range(15))),
    "postings_size_bytes": (BY_TENANT, (*Z[:-2], *(n << 20 for n in (128, 256, 512, 768, 1024)))),
    "series_fetch_duration_seconds": (BY_TENANT, D),
    "series_fetch_duration_sum_seconds": (BY_TENANT, D),
    "postings_fetch_duration_seconds": (BY_TENANT, D),
    "chunks_fetch_duration_seconds": (BY_TENANT, D),
    "chunks_fetch_duration_sum_seconds": (BY_TENANT, D),
    "series_gate_queries_duration_seconds": (
        (),
        (0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720),
    ),
    "indexheader_download_duration_seconds": ((), LOAD),
    "indexheader_load_duration_seconds": ((), HEADER),
    "indexheader_lazy_load_duration_seconds": ((), HEADER),
}


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def metrics(registry):
    return Metrics(registry)


def families(registry):
    return {family.name: family for family in registry.collect()}


@pytest.mark.parametrize(("name", "labels"), COUNTERS.items())
def test_a_counter_has_its_name_and_labels(metrics, registry, name, labels):
    counter = getattr(metrics, f"{name}_total")
    (counter.labels(*("x" for _ in labels)) if labels else counter).inc()
    wanted = dict.fromkeys(labels, "x")
    assert families(registry)[STORE + name].type == "counter"
    assert registry.get_sample_value(f"{STORE}{name}_total", wanted) == 1


@pytest.mark.parametrize("name", GAUGES)
def test_a_gauge_has_its_name(metrics, registry, name):
    getattr(metrics, name).set(7)
    assert families(registry)[STORE + name].type == "gauge"
    assert registry.get_sample_value(STORE + name) == 7


@pytest.mark.parametrize(("name", "shape"), HISTOGRAMS.items())
def test_a_histogram_has_its_name_labels_and_buckets(metrics, registry, name, shape):
    labels, buckets = shape
    histogram = getattr(metrics, name)
    (histogram.labels(*("x" for _ in labels)) if labels else histogram).observe(0)
    family = families(registry)[STORE + name]
    wanted = dict.fromkeys(labels, "x")
    bounds = [
        float(s.labels["le"])
        for s in family.samples
        if s.name.endswith("_bucket") and wanted.items() <= s.labels.items()
    ]
    assert family.type == "histogram"
    assert bounds == [*buckets, float("inf")]


def test_the_wait_at_the_gate_has_its_old_name_too(metrics, registry):
    metrics.series_gate_queries_duration_seconds.observe(0.2)
    for name in ("series_gate_duration_seconds", "series_gate_queries_duration_seconds"):
        assert registry.get_sample_value(f"{STORE}{name}_bucket", {"le": "0.3"}) == 1
        assert registry.get_sample_value(f"{STORE}{name}_count") == 1


def test_one_finished_query_is_observed_everywhere(metrics, registry):
    stats = QueryStats(
        blocks_queried=3,
        postings_touched=5,
        postings_touched_size_sum=10,
        postings_fetched_size_sum=20,
        series_fetched=7,
        chunks_touched_size_sum=2048,
        merged_series_count=9,
        tenant="acme",
    )
    metrics.observe_series(stats)

    def value(name, **labels):
        return registry.get_sample_value(STORE + name, {"tenant": "acme", **labels})

    assert value("series_data_touched_sum", data_type="postings") == 5
    assert value("series_data_fetched_sum", data_type="series") == 7
    assert value("series_data_size_touched_bytes_sum", data_type="chunks") == 2048
    assert value("series_blocks_queried_sum") == 3
    assert value("series_result_series_sum") == 9
    assert value("postings_size_bytes_sum") == 30
    assert value("series_merge_duration_seconds_count") == 1


def test_a_query_without_tenant_counts_for_the_default_one(metrics, registry):
    metrics.observe_series(QueryStats())
    assert registry.get_sample_value(STORE + "series_blocks_queried_count", {"tenant": TENANT}) == 1


def test_an_array_of_sizes_is_counted_as_single_observations_would_be(metrics, registry):
    sizes = np.array([1, 32, 33, 2**40])
    metrics.observe_series(QueryStats(), sizes)
    metrics.observe_series(QueryStats(), sizes)

    def bucket(le):
        return registry.get_sample_value(STORE + "sent_chunk_size_bytes_bucket", {"tenant": TENANT, "le": le})

    assert [bucket(le) for le in ("32.0", "256.0", "536870912.0", "+Inf")] == [4, 6, 6, 8]
    assert registry.get_sample_value(STORE + "sent_chunk_size_bytes_sum", {"tenant": TENANT}) == 2 * sizes.sum()


def test_no_sizes_leave_no_trace(metrics, registry):
    metrics.observe_series(QueryStats(), np.array([], dtype=np.int64))
    assert registry.get_sample_value(STORE + "sent_chunk_size_bytes_count", {"tenant": TENANT}) is None


def test_tenants_beyond_the_cap_share_one_label(metrics):
    names = [f"t{number}" for number in range(MAX_TENANTS + 50)]
    labels = [metrics.tenant(name) for name in names]
    assert len(set(labels)) == MAX_TENANTS
    assert labels[-1] == "other"
    assert metrics.tenant("t0") == "t0"
    assert metrics.tenant(TENANT) == TENANT


def test_counters_of_the_default_tenant_are_there_from_the_start(metrics, registry):
    for name in ("series_refetches_total", "chunk_refetches_total", "empty_postings_total"):
        assert registry.get_sample_value(STORE + name, {"tenant": TENANT}) == 0
    for op in ("encode", "decode"):
        labels = {"op": op, "tenant": TENANT}
        assert registry.get_sample_value(STORE + "cached_postings_compressions_total", labels) == 0


def test_there_are_no_created_series(metrics, registry):
    metrics.observe_series(QueryStats(), np.array([1]))
    assert b"_created" not in generate_latest(registry)


def test_build_info_and_status_have_the_labels_of_thanos(metrics, registry):
    (info,) = families(registry)["thanos_build_info"].samples
    assert sorted(info.labels) == ["branch", "goarch", "goos", "goversion", "revision", "tags", "version"]
    assert info.value == 1
    for check in ("ready", "healthy"):
        assert registry.get_sample_value("thanos_status", {"check": check, "component": "store"}) == 0


def test_server_counters_have_their_buckets(metrics, registry):
    found = families(registry)
    for name, buckets in {
        "series": (1, 10, 1e2, 1e3, 1e4, 1e5, 1e6),
        "chunks": (1, 1e2, 1e3, 1e4, 1e5, 1e7, 1e8, 1e9),
    }.items():
        family = found[f"thanos_store_server_{name}_requested"]
        bounds = [float(s.labels["le"]) for s in family.samples if s.name.endswith("_bucket")]
        assert bounds == [*buckets, float("inf")]


def test_drop_reasons_are_there_from_the_start(metrics, registry):
    for reason in ("bytes", "chunks", "series"):
        labels = {"reason": reason, "tenant": TENANT}
        assert registry.get_sample_value(STORE + "queries_dropped_total", labels) == 0


@once_per_registry
def made(registry, *arguments):
    return object()


def test_users_of_one_registry_share_families(registry):
    assert made(registry) is made(registry)


def test_families_differ_by_registry_and_arguments(registry):
    assert len({made(registry), made(CollectorRegistry()), made(registry, "redis"), made(registry, "memcached")}) == 4
