"""What is kept of indexes: postings lists, expanded postings of sets of matchers, and pages of series entries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram

from storegate.metrics import SIZES
from storegate.types import Cache

Item = Literal["Postings", "ExpandedPostings", "Series"]
ITEMS: tuple[Item, ...] = ("Postings", "ExpandedPostings", "Series")


class IndexCacheMetrics:
    """`thanos_store_index_cache_*`; one instance per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["item_type", "tenant"]
        self.requests = Counter(
            "thanos_store_index_cache_requests_total", "Items that were asked for", labels, registry=registry
        )
        self.hits = Counter("thanos_store_index_cache_hits_total", "Items that were found", labels, registry=registry)
        self.stored = Histogram(
            "thanos_store_index_cache_stored_data_size_bytes",
            "Sizes of stored items",
            labels,
            buckets=(*SIZES[:-2], 64 << 20, 128 << 20, *SIZES[-2:]),
            registry=registry,
        )


class IndexCache:
    """Keys and counters over a Cache plugin. Thread-safe. `enabled` says which items are kept; empty keeps all."""

    def __init__(self, cache: Cache | None, enabled: Collection[str], ttl: float, metrics: IndexCacheMetrics) -> None:
        self.cache = cache
        self._enabled = frozenset(enabled or ITEMS) if cache is not None else frozenset()
        self._ttl = ttl
        self._metrics = metrics
        self._counters: dict[tuple[str, Item], tuple[Counter, Counter, Histogram]] = {}

    def keeps(self, item: Item) -> bool:
        """Whether looking for this kind can find anything."""
        return item in self._enabled

    @staticmethod
    def postings_key(ulid: str, offset: int) -> str:
        """Of the list whose count field lies at `offset` of the index."""
        return f"P:{ulid}:{offset}"

    @staticmethod
    def expanded_key(ulid: str, digest: str) -> str:
        """Of the postings that matchers with this digest select; time ranges play no part."""
        return f"EP:{ulid}:{digest}"

    @staticmethod
    def page_key(ulid: str, page: int) -> str:
        """Of one aligned page of the index."""
        return f"S:{ulid}:{page}"

    def count(self, item: Item, tenant: str, asked: int, found: int) -> None:
        """Count look-ups of one request."""
        requests, hits, _ = self._of(item, tenant)
        requests.inc(asked)
        if found:
            hits.inc(found)

    def put(self, item: Item, tenant: str, items: Mapping[str, bytes]) -> None:
        """Keep values, if this kind is kept at all."""
        if self.cache is None or item not in self._enabled or not items:
            return
        stored = self._of(item, tenant)[2]
        for value in items.values():
            stored.observe(len(value))
        self.cache.set_many(items, self._ttl)

    def _of(self, item: Item, tenant: str) -> tuple[Counter, Counter, Histogram]:
        found = self._counters.get((tenant, item))
        if found is None:
            m = self._metrics
            found = m.requests.labels(item, tenant), m.hits.labels(item, tenant), m.stored.labels(item, tenant)
            self._counters[tenant, item] = found
        return found


def matchers_digest(text: str) -> str:
    """A short stand-in for the text of matchers in a key."""
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=32).hexdigest()
