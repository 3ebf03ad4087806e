"""What plugins made, counted at each call, and named where it fails.

An `origin` is `NAME of distribution version`. Answers and exceptions pass unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from storegate.plugin_calls import CallMeter
from storegate.types import BlockMeta, Cache, FilterContext, MetaFilter, Observer, Partitioner, SupportsClose

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from storegate.query.stats import QueryStats


class MeasuredFilter:
    """See `storegate.MetaFilter`."""

    def __init__(self, meta_filter: MetaFilter, meter: CallMeter, origin: str) -> None:
        self.origin = origin
        self._filter = meta_filter
        self._meter = meter

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        """An answer that is no mapping is an error of the filter, too."""
        with self._meter.measured():
            return dict(self._filter.select(metas, context))


class MeasuredObserver:
    """See `storegate.Observer`."""

    def __init__(self, observer: Observer, meter: CallMeter, origin: str) -> None:
        self.origin = origin
        self._observer = observer
        self._meter = meter

    def block_loaded(self, meta: BlockMeta) -> None:
        with self._meter.measured():
            self._observer.block_loaded(meta)

    def block_dropped(self, meta: BlockMeta, reason: str) -> None:
        with self._meter.measured():
            self._observer.block_dropped(meta, reason)

    def query_finished(self, stats: QueryStats) -> None:
        with self._meter.measured():
            self._observer.query_finished(stats)

    def close(self) -> None:
        """Pass it on, if the observer wants to know."""
        if isinstance(self._observer, SupportsClose):
            self._observer.close()


class MeasuredPartitioner:
    """See `storegate.Partitioner`."""

    def __init__(self, partitioner: Partitioner, meter: CallMeter) -> None:
        self._partitioner = partitioner
        self._meter = meter

    def partition(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
        with self._meter.measured():
            return self._partitioner.partition(starts, ends)


class MeasuredCache:
    """See `storegate.LocalCache`; a cache that is not local is counted by its guard."""

    local = True

    def __init__(self, cache: Cache, meter: CallMeter) -> None:
        self._cache = cache
        self._meter = meter

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        with self._meter.measured():
            return self._cache.get_many(keys)

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        with self._meter.measured():
            self._cache.set_many(items, ttl)

    def close(self) -> None:
        self._cache.close()
