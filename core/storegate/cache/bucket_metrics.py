"""Metrics of the caching bucket (operations 5.5)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

CHUNKS, DOCUMENTS, LISTINGS = "chunks", "meta.jsons", "blocks-iter"
OPERATIONS = {CHUNKS: ("attributes", "get_range"), DOCUMENTS: ("exists", "get"), LISTINGS: ("iter",)}
"""By the label `config`: which operations are cached for which objects."""


class CachingBucketMetrics:
    """`thanos_store_bucket_cache_*`; one instance per registry. Hits of `get_range` are shares of reads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"thanos_store_bucket_cache_{name}", text, labels, registry=registry)

        requests = counter("operation_requests_total", "Operations that the cache was asked for", "operation", "config")
        hits = counter("operation_hits_total", "Operations that it could answer", "operation", "config")
        of = [(operation, config) for config, operations in OPERATIONS.items() for operation in operations]
        self._requests = {operation: requests.labels(operation, config) for operation, config in of}
        self._hits = {operation: hits.labels(operation, config) for operation, config in of}
        fetched = counter("getrange_fetched_bytes_total", "Bytes that ranged reads took", "origin", "config")
        refetched = counter(
            "getrange_refetched_bytes_total", "Bytes that were fetched although they were cached", "origin", "config"
        )
        self.requested_bytes = counter("getrange_requested_bytes_total", "Bytes that were asked for", "config").labels(
            CHUNKS
        )
        self.cached_bytes = fetched.labels("cache", CHUNKS)
        self.fetched_bytes = fetched.labels("bucket", CHUNKS)
        self.refetched_bytes = refetched.labels("cache", CHUNKS)

    def count(self, operation: str, requests: int, hits: float) -> None:
        """Count operations, and those of them that the cache answered."""
        self._requests[operation].inc(requests)
        if hits:
            self._hits[operation].inc(hits)
