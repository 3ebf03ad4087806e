"""Hit rates and sizes of caches, read from the gateway's own metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

FAMILIES: Mapping[str, str] = {
    "thanos_store_index_cache": "index cache",
    "thanos_cache_inmemory": "in memory",
    "thanos_cache_memcached": "memcached",
    "thanos_cache_redis": "Redis",
    "storegate_cache": "plugin",
    "thanos_store_bucket_cache_operation": "caching bucket",
}
"""What the names of metrics begin with, and what people call the thing."""
COUNTED: Mapping[str, tuple[str, ...]] = {
    "requests": ("_requests_total",),
    "hits": ("_hits_total",),
    "items": ("_items",),
    "bytes": ("_total_size_bytes",),
    "limit": ("_max_size_bytes",),
    "evicted": ("_items_evicted_total",),
    "overflowed": ("_items_overflowed_total",),
    "queued": ("_queued_items",),
}
LABELS = ("name", "item_type", "config", "operation")


@dataclass(slots=True)
class CacheRow:
    """One cache, or one kind of item in it. Bytes and counts; None where nothing is measured."""

    kind: str
    name: str
    numbers: dict[str, float] = field(default_factory=dict)

    @property
    def hit_rate(self) -> float | None:
        """Between 0 and 1; None before the first request."""
        requests = self.numbers.get("requests", 0.0)
        return self.numbers.get("hits", 0.0) / requests if requests else None

    @property
    def filled(self) -> float | None:
        """Between 0 and 1; None without a limit."""
        limit = self.numbers.get("limit", 0.0)
        return min(1.0, self.numbers.get("bytes", 0.0) / limit) if limit else None


def cache_rows(registry: CollectorRegistry) -> list[CacheRow]:
    """All caches that have counted something to show. Thread-safe."""
    wanted = {family + suffix: (family, key) for family in FAMILIES for key, ends in COUNTED.items() for suffix in ends}
    rows: dict[tuple[str, str], CacheRow] = {}
    for metric in registry.restricted_registry(list(wanted)).collect():
        for sample in metric.samples:
            if sample.name not in wanted:
                continue
            family, key = wanted[sample.name]
            name = " ".join(sample.labels[label] for label in LABELS if sample.labels.get(label))
            row = rows.setdefault((family, name), CacheRow(FAMILIES[family], name))
            row.numbers[key] = row.numbers.get(key, 0.0) + sample.value  # tenants are added up
    return sorted(_with_limits(rows), key=lambda row: (row.kind, row.name))


def _with_limits(rows: dict[tuple[str, str], CacheRow]) -> list[CacheRow]:
    """The limit of an index cache is that of all its kinds together, so it belongs to a row of its own."""
    whole = rows.get(("thanos_store_index_cache", ""))
    if whole is not None:
        parts = [row for (family, name), row in rows.items() if family == "thanos_store_index_cache" and name]
        for key in ("requests", "hits", "items", "bytes", "evicted", "overflowed"):
            values = [row.numbers[key] for row in parts if key in row.numbers]
            if values:
                whole.numbers[key] = sum(values)
        whole.name = "all kinds"
    return list(rows.values())
