"""Protection around any Cache plugin, so that a cache can only ever help a query.

A local cache is called directly. Around any other: one deadline for each read, a circuit breaker for each server, a
bounded queue of writes, and an envelope around values. Who uses a cache sees a `Cache` that does not raise.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry

from storegate.cache.guard_metrics import GuardMetrics
from storegate.cache.lookups import Lookups
from storegate.cache.servers import Servers, log
from storegate.cache.write_queue import WriteQueue
from storegate.types import Cache, CacheLimits, LocalCache

CLOSE_SECONDS = 1.0
"""How long `close` waits for each kind of call that is under way."""


def is_local(cache: Cache) -> bool:
    """Whether the cache answers within microseconds, and may be asked where nothing may block."""
    return isinstance(cache, LocalCache) and cache.local


def guarded(cache: Cache, *, name: str, registry: CollectorRegistry) -> Cache:
    """The cache itself if it is local, else a `GuardedCache` around it. `name` is its place: `index-cache`, ..."""
    return cache if is_local(cache) else GuardedCache(cache, name=name, registry=registry)


class GuardedCache:
    """Any cache, as a query may use it. Thread-safe; `set_many` never blocks; nothing of the cache is ever raised.

    `get_many` takes at most `limits.timeout`, and ends with the request that the thread works for. After a failure the
    server is left alone for a pause, and its keys are misses; then a read is sent to it that nobody waits for, and when
    that succeeds it is used again.
    """

    local = False

    def __init__(self, cache: Cache, *, name: str, registry: CollectorRegistry) -> None:
        limits: CacheLimits = getattr(cache, "limits", None) or CacheLimits()
        metrics = GuardMetrics(registry, limits, name)
        servers = Servers(cache, limits, name)
        self._cache = cache
        self._name = name
        self.totals = metrics.totals
        self._lookups = Lookups(servers, limits, metrics, name)
        self._writes = WriteQueue(servers, limits, metrics, name)
        metrics.watch(servers.stepped_over, lambda: self._writes.items)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `storegate.Cache.get_many`."""
        return self._lookups.get_many(keys) if keys else {}

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        """See `storegate.Cache.set_many`. The values are written later, or not at all."""
        if ttl > 0:
            self._writes.put(items, ttl)

    def flush(self, timeout: float) -> bool:
        """Wait until all values so far are written or given up; False when time is up before."""
        return self._writes.flush(timeout)

    def close(self) -> None:
        """Drop queued writes, end calls under way, close the cache. Takes a few seconds at most."""
        self._writes.stop()
        self._lookups.close(CLOSE_SECONDS)
        self._writes.close(CLOSE_SECONDS)
        closing = threading.Thread(target=self._close_cache, name=f"{self._name}-close", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)

    def _close_cache(self) -> None:
        try:
            self._cache.close()
        except BaseException as error:
            log.warning("the cache could not be closed", cache=self._name, err=str(error))
