"""A least-recently-used cache, bounded by bytes."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from storegate import PluginContext
from storegate_inmemory import InMemoryConfig
from storegate_inmemory.metrics import ITEM_TYPES, Account, Accounts, collector_of

ITEM_OVERHEAD = 200
"""Bytes that an item takes besides its key and value: the dict entry, the tuple, two object headers."""


def open_cache(config: InMemoryConfig, context: PluginContext) -> InMemoryCache:
    """Factory of the provider IN-MEMORY."""
    cache = InMemoryCache(config.max_size, config.max_item_size, by_item_type=context.role == "index-cache")
    collector_of(context.registry).watch(context.role or "default", cache.accounts)
    return cache


class InMemoryCache:
    """Values by key, least recently used first to go. Thread-safe; sizes in bytes, times in seconds.

    The cost of an item is its value, its key and `ITEM_OVERHEAD`, so that many small items stay within `max_size`
    too. A limit for one value that is larger than `max_size` is lowered to it. Storing a key again replaces the value.
    With `by_item_type` there are accounts for each kind of item of the index cache.
    """

    local = True

    def __init__(
        self,
        max_size: int,
        max_item_size: int,
        *,
        by_item_type: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.accounts = Accounts(max_size, min(max_item_size, max_size))
        if by_item_type:
            self.accounts.by_kind = {kind: Account() for kind in ITEM_TYPES}
        self._clock = clock
        self._lock = threading.Lock()
        self._items: OrderedDict[str, tuple[bytes, float]] = OrderedDict()  # value; end of its time

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `storegate.Cache.get_many`."""
        found: dict[str, bytes] = {}
        accounts, now = self.accounts, self._clock()
        get, used = self._items.get, self._items.move_to_end
        with self._lock:
            for key in keys:
                item = get(key)
                if item is None:
                    continue
                value, expires = item
                if expires > now:
                    used(key)
                    found[key] = value
                else:
                    self._remove(key, item)
                    accounts.expired += 1
            accounts.requests += len(keys)
            accounts.hits += len(found)
        return found

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        """See `storegate.Cache.set_many`. A `ttl` of 0 or less stores nothing."""
        if ttl <= 0:
            return
        expires = self._clock() + ttl
        with self._lock:
            for key, value in items.items():
                self._set(key, bytes(value), expires)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            while self._items:
                self._remove(*self._items.popitem())

    # --- under the lock ---

    def _set(self, key: str, value: bytes, expires: float) -> None:
        accounts = self.accounts
        cost = _cost(key, value)
        if len(value) > accounts.max_item_size or cost > accounts.max_size:
            for account in self._accounts_of(key):
                account.overflowed += 1
            return
        if (old := self._items.pop(key, None)) is not None:
            self._remove(key, old)
        while accounts.cost + cost > accounts.max_size:
            self._evict()
        self._items[key] = value, expires
        accounts.cost += cost
        for account in self._accounts_of(key):
            account.added += 1
            account.items += 1
            account.values += len(value)
            account.keys += len(key)

    def _evict(self) -> None:
        key, item = self._items.popitem(last=False)
        self._remove(key, item)
        for account in self._accounts_of(key):
            account.evicted += 1

    def _remove(self, key: str, item: tuple[bytes, float]) -> None:
        value = item[0]
        self._items.pop(key, None)
        self.accounts.cost -= _cost(key, value)
        for account in self._accounts_of(key):
            account.items -= 1
            account.values -= len(value)
            account.keys -= len(key)

    def _accounts_of(self, key: str) -> tuple[Account, ...]:
        accounts = self.accounts
        of_kind = accounts.by_kind.get(key.partition(":")[0]) if accounts.by_kind else None
        return (accounts.all,) if of_kind is None else (accounts.all, of_kind)


def _cost(key: str, value: bytes) -> int:
    return len(value) + len(key) + ITEM_OVERHEAD
