"""What is kept of indexes: postings lists, expanded postings of sets of matchers, and pages of series entries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram

from storegate.flights import Flights
from storegate.metrics import DEFAULT_TENANT, SIZES
from storegate.types import Cache

Item = Literal["Postings", "ExpandedPostings", "Series"]
ITEMS: tuple[Item, ...] = ("Postings", "ExpandedPostings", "Series")
FETCH_SECONDS = (0.01, 0.1, 0.3, 0.6, 1, 3, 6, 10, 15, 20, 30, 45, 60, 90, 120)


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
        self.fetch_seconds = Histogram(
            "thanos_store_index_cache_fetch_duration_seconds",
            "Time of one lookup, for all blocks of a query together",
            labels,
            buckets=FETCH_SECONDS,
            registry=registry,
        )
        for item in ITEMS:
            self.requests.labels(item, DEFAULT_TENANT)
            self.hits.labels(item, DEFAULT_TENANT)


class _OfTenant(NamedTuple):
    """The metrics of one kind of item for one tenant: looking them up by labels costs more than counting."""

    requests: Counter
    hits: Counter
    stored: Histogram
    fetch_seconds: Histogram


class IndexCache:
    """Keys and counters over a Cache plugin. Thread-safe. `enabled` says which items are kept; empty keeps all.

    `namespace` tells the bucket from others that share the cache. In a key, `identity` is that of the index-header
    (`IndexHeader.identity`): what was kept of an index is not found any more once another one lies in its place.
    """

    def __init__(
        self,
        cache: Cache | None,
        enabled: Collection[str],
        ttl: float,
        metrics: IndexCacheMetrics,
        *,
        namespace: str = "",
    ) -> None:
        self.cache = cache
        self.flights = Flights()
        """What requests are fetching at this moment, by key; whether it is kept after that or not."""
        self._enabled = frozenset(enabled or ITEMS) if cache is not None else frozenset()
        self._ttl = ttl
        self._metrics = metrics
        self._namespace = namespace
        self._of_tenants: dict[tuple[str, Item], _OfTenant] = {}

    def keeps(self, item: Item) -> bool:
        """Whether looking for this kind can find anything."""
        return item in self._enabled

    def postings_key(self, ulid: str, identity: str, offset: int) -> str:
        """Of the list whose count field lies at `offset` of the index."""
        return f"P:{self._namespace}:{ulid}:{identity}:{offset}"

    def expanded_key(self, ulid: str, identity: str, digest: str) -> str:
        """Of the postings that matchers with this digest select; time ranges play no part."""
        return f"EP:{self._namespace}:{ulid}:{identity}:{digest}"

    def page_keys(self, ulid: str, identity: str, size: int, pages: Collection[int]) -> list[str]:
        """Of aligned pages of the index, `size` bytes each."""
        prefix = f"S:{self._namespace}:{ulid}:{identity}:{size}:"
        return [f"{prefix}{page}" for page in pages]

    def count(self, item: Item, tenant: str, asked: int, found: int) -> None:
        """Count look-ups of one request."""
        metrics = self._of(item, tenant)
        metrics.requests.inc(asked)
        if found:
            metrics.hits.inc(found)

    def timer(self, item: Item, tenant: str) -> Histogram:
        """Where the time of a lookup is observed."""
        return self._of(item, tenant).fetch_seconds

    def put(self, item: Item, tenant: str, items: Mapping[str, bytes]) -> None:
        """Keep values, if this kind is kept at all."""
        if self.cache is None or item not in self._enabled or not items:
            return
        stored = self._of(item, tenant).stored
        for value in items.values():
            stored.observe(len(value))
        self.cache.set_many(items, self._ttl)

    def _of(self, item: Item, tenant: str) -> _OfTenant:
        found = self._of_tenants.get((tenant, item))
        if found is None:
            m, labels = self._metrics, (item, tenant)
            found = _OfTenant(
                m.requests.labels(*labels),
                m.hits.labels(*labels),
                m.stored.labels(*labels),
                m.fetch_seconds.labels(*labels),
            )
            self._of_tenants[tenant, item] = found
        return found


def matchers_digest(text: str) -> str:
    """A short stand-in for the text of matchers in a key."""
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=32).hexdigest()
