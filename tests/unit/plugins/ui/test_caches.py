"""What is read from the metrics of caches."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from storegate_ui.caches import cache_rows


def index_cache(registry: CollectorRegistry) -> None:
    requests = Counter("thanos_store_index_cache_requests", "x", ["item_type", "tenant"], registry=registry)
    hits = Counter("thanos_store_index_cache_hits", "x", ["item_type", "tenant"], registry=registry)
    for tenant in ("a", "b"):
        requests.labels("Postings", tenant).inc(4)
    hits.labels("Postings", "a").inc(2)
    Gauge("thanos_store_index_cache_total_size_bytes", "x", ["item_type"], registry=registry).labels("Postings").set(25)
    Gauge("thanos_store_index_cache_max_size_bytes", "x", registry=registry).set(100)


def test_tenants_are_added_up() -> None:
    registry = CollectorRegistry()
    index_cache(registry)
    postings = next(row for row in cache_rows(registry) if row.name == "Postings")
    assert postings.hit_rate == 0.25


def test_the_limit_belongs_to_all_kinds_together() -> None:
    registry = CollectorRegistry()
    index_cache(registry)
    filled = {row.name: row.filled for row in cache_rows(registry)}
    assert filled == {"Postings": None, "all kinds": 0.25}


def test_a_cache_that_nobody_asked_has_no_hit_rate() -> None:
    registry = CollectorRegistry()
    Counter("storegate_cache_requests", "x", ["name"], registry=registry).labels("shared")
    (row,) = cache_rows(registry)
    assert (row.name, row.hit_rate) == ("shared", None)


def test_other_metrics_are_no_caches() -> None:
    registry = CollectorRegistry()
    Counter("http_requests", "x", registry=registry)
    assert cache_rows(registry) == []
