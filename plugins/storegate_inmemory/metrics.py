"""Metrics of in-memory caches (operations 5.5), read from their accounts at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from storegate.metrics import once_per_registry

ITEM_TYPES = {"P": "Postings", "EP": "ExpandedPostings", "S": "Series"}
"""What the index cache keeps, by the part of a key before its first colon."""

INDEX_ITEM_BYTES = 16
"""What the metrics of the index cache count for an item besides its value and key."""


@dataclass(slots=True)
class Account:
    """What became of items, and what they take now. The lock of the cache guards it."""

    items: int = 0
    values: int = 0  # bytes
    keys: int = 0  # characters
    added: int = 0
    evicted: int = 0
    overflowed: int = 0


@dataclass(slots=True)
class Accounts:
    """The accounts of one cache. Sizes in bytes."""

    max_size: int
    max_item_size: int
    cost: int = 0  # of all items, as `max_size` bounds it
    requests: int = 0
    hits: int = 0
    expired: int = 0
    all: Account = field(default_factory=Account)
    by_kind: dict[str, Account] = field(default_factory=dict)  # by the part of a key before its first colon


Counted = TypeVar("Counted", Account, Accounts)
Rows = tuple[tuple[str, str, Callable[[Counted], float]], ...]  # name, meaning, value

_COUNTERS: Rows[Accounts] = (
    ("requests", "Keys that were asked for", lambda a: a.requests),
    ("hits", "Keys that were found", lambda a: a.hits),
    ("hits_on_expired_data", "Keys that were found too late: their time was over", lambda a: a.expired),
    ("items_added", "Items that were stored", lambda a: a.all.added),
    ("items_evicted", "Items that made room for others", lambda a: a.all.evicted),
    ("items_overflowed", "Items that were too large to be stored", lambda a: a.all.overflowed),
)
_GAUGES: Rows[Accounts] = (
    ("items", "Items in the cache", lambda a: a.all.items),
    ("items_size_bytes", "Bytes of all values in the cache", lambda a: a.all.values),
    ("total_size_bytes", "Bytes of all values and keys, with the bookkeeping per item", lambda a: a.cost),
    ("max_size_bytes", "What all items together may take", lambda a: a.max_size),
    ("max_item_size_bytes", "The largest value that is stored", lambda a: a.max_item_size),
)
_INDEX_COUNTERS: Rows[Account] = (
    ("items_added", "Items that were stored in memory", lambda a: a.added),
    ("items_evicted", "Items in memory that made room for others", lambda a: a.evicted),
    ("items_overflowed", "Items that were too large to be stored in memory", lambda a: a.overflowed),
)
_INDEX_GAUGES: Rows[Account] = (
    ("items", "Items in memory", lambda a: a.items),
    ("items_size_bytes", "Values in memory, 16 bytes more for each", lambda a: _index_bytes(a)),
    ("total_size_bytes", "Values and keys in memory, 16 bytes more for each", lambda a: _index_bytes(a) + a.keys),
)


class InMemoryCollector(Collector):
    """`thanos_cache_inmemory_*` of all caches of a process, by name; for one of them `thanos_store_index_cache_*`."""

    def __init__(self) -> None:
        self._caches: dict[str, Accounts] = {}

    def watch(self, name: str, accounts: Accounts) -> None:
        """Show these accounts under a name; a later cache of that name takes its place."""
        self._caches = {**self._caches, name: accounts}

    def collect(self) -> Iterator[Metric]:
        """At each scrape."""
        caches = self._caches
        yield from _families("thanos_cache_inmemory", "name", _COUNTERS, _GAUGES, caches)
        for accounts in caches.values():
            if accounts.by_kind:
                yield from _index_families(accounts)

    def describe(self) -> Iterator[Metric]:
        """All that `collect` may yield, without values."""
        nothing: dict[str, Accounts] = {}
        yield from _families("thanos_cache_inmemory", "name", _COUNTERS, _GAUGES, nothing)
        yield from _index_families(Accounts(0, 0))


@once_per_registry
def collector_of(registry: CollectorRegistry) -> InMemoryCollector:
    """The collector that all in-memory caches of a registry share."""
    collector = InMemoryCollector()
    registry.register(collector)
    return collector


def _index_families(accounts: Accounts) -> Iterator[Metric]:
    prefix = "thanos_store_index_cache"
    kinds = {ITEM_TYPES[kind]: account for kind, account in accounts.by_kind.items()}
    yield from _families(prefix, "item_type", _INDEX_COUNTERS, _INDEX_GAUGES, kinds)
    yield GaugeMetricFamily(f"{prefix}_max_size_bytes", "What all items together may take", accounts.max_size)
    yield GaugeMetricFamily(f"{prefix}_max_item_size_bytes", "The largest value stored", accounts.max_item_size)


def _families(
    prefix: str, label: str, counters: Rows[Counted], gauges: Rows[Counted], counted: Mapping[str, Counted]
) -> Iterator[Metric]:
    for made, rows in ((CounterMetricFamily, counters), (GaugeMetricFamily, gauges)):
        for name, text, value in rows:
            family = made(f"{prefix}_{name}", text, labels=[label])
            for label_value, of in counted.items():
                family.add_metric([label_value], value(of))
            yield family


def _index_bytes(account: Account) -> int:
    return account.values + INDEX_ITEM_BYTES * account.items
