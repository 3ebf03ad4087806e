"""A least-recently-used cache, bounded by bytes."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from storegate import PluginContext
from storegate_inmemory import InMemoryConfig
from storegate_inmemory.metrics import Families, families

ITEM_OVERHEAD = 200
"""Bytes that an item takes besides its key and value: the dict entry, the record, two object headers."""


class _Item(NamedTuple):
    value: bytes
    expires: float  # on the given clock


def open_cache(config: InMemoryConfig, context: PluginContext) -> InMemoryCache:
    """Factory of the provider IN-MEMORY."""
    return InMemoryCache(
        config.max_size, config.max_item_size, name=context.role or "default", metrics=families(context.registry)
    )


class InMemoryCache:
    """Values by key, least recently used first to go. Thread-safe; sizes in bytes, times in seconds.

    The cost of an item is its value, its key and `ITEM_OVERHEAD`, so that many small items stay within `max_size`
    too. A limit for one value that is larger than `max_size` is lowered to it. Storing a key again replaces the value.
    """

    local = True

    def __init__(
        self,
        max_size: int,
        max_item_size: int,
        *,
        name: str,
        metrics: Families,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_size = max_size
        self._max_item_size = min(max_item_size, max_size)
        self._clock = clock
        self._lock = threading.Lock()
        self._items: OrderedDict[str, _Item] = OrderedDict()
        self._values = 0  # bytes of all values
        self._cost = 0
        self._requests = metrics.requests.labels(name)
        self._hits = metrics.hits.labels(name)
        self._expired = metrics.expired.labels(name)
        self._added = metrics.added.labels(name)
        self._evicted = metrics.evicted.labels(name)
        self._overflowed = metrics.overflowed.labels(name)
        metrics.items.labels(name).set_function(lambda: len(self._items))
        metrics.items_size.labels(name).set_function(lambda: self._values)
        metrics.total_size.labels(name).set_function(lambda: self._cost)
        metrics.max_size.labels(name).set(self._max_size)
        metrics.max_item_size.labels(name).set(self._max_item_size)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `storegate.Cache.get_many`."""
        found: dict[str, bytes] = {}
        expired = 0
        now = self._clock()
        with self._lock:
            for key in keys:
                item = self._items.get(key)
                if item is None:
                    continue
                if item.expires <= now:
                    self._remove(key)
                    expired += 1
                    continue
                self._items.move_to_end(key)
                found[key] = item.value
        self._requests.inc(len(keys))
        self._hits.inc(len(found))
        self._expired.inc(expired)
        return found

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        """See `storegate.Cache.set_many`. A `ttl` of 0 or less stores nothing."""
        if ttl <= 0:
            return
        expires = self._clock() + ttl
        added = evicted = overflowed = 0
        with self._lock:
            for key, value in items.items():
                cost = _cost(key, len(value))
                if len(value) > self._max_item_size or cost > self._max_size:
                    overflowed += 1
                    continue
                self._remove(key)
                while self._cost + cost > self._max_size:
                    self._remove(next(iter(self._items)))
                    evicted += 1
                self._items[key] = _Item(bytes(value), expires)
                self._values += len(value)
                self._cost += cost
                added += 1
        self._added.inc(added)
        self._evicted.inc(evicted)
        self._overflowed.inc(overflowed)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
            self._values = self._cost = 0

    def _remove(self, key: str) -> None:
        item = self._items.pop(key, None)
        if item is not None:
            self._values -= len(item.value)
            self._cost -= _cost(key, len(item.value))


def _cost(key: str, size: int) -> int:
    return size + len(key) + ITEM_OVERHEAD
