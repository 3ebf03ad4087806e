"""Metrics of in-memory caches; several caches of one process share them, told apart by `name`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_lock: Final = threading.Lock()
_by_registry: Final[WeakKeyDictionary[CollectorRegistry, Families]] = WeakKeyDictionary()


class Families:
    """The metric families, each with the label `name`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str) -> Counter:
            return Counter(f"thanos_cache_inmemory_{name}", text, ["name"], registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"thanos_cache_inmemory_{name}", text, ["name"], registry=registry)

        self.requests = counter("requests_total", "Keys that were asked for.")
        self.hits = counter("hits_total", "Keys that were found.")
        self.expired = counter("hits_on_expired_data_total", "Keys that were found too late: their time was over.")
        self.added = counter("items_added_total", "Items that were stored.")
        self.evicted = counter("items_evicted_total", "Items that made room for others.")
        self.overflowed = counter("items_overflowed_total", "Items that were too large to be stored.")
        self.items = gauge("items", "Items in the cache.")
        self.items_size = gauge("items_size_bytes", "Bytes of all values in the cache.")
        self.total_size = gauge("total_size_bytes", "Bytes of all values and keys, with the bookkeeping per item.")
        self.max_size = gauge("max_size_bytes", "What all items together may take.")
        self.max_item_size = gauge("max_item_size_bytes", "The largest value that is stored.")


def families(registry: CollectorRegistry) -> Families:
    """The families of a registry, registered at the first call. Thread-safe."""
    with _lock:
        found = _by_registry.get(registry)
        if found is None:
            found = _by_registry[registry] = Families(registry)
        return found
