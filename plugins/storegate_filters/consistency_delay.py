"""Give fresh uploads time to settle in stores whose listings run ahead of their contents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Gauge

from storegate import BlockMeta, FilterContext, PluginContext
from storegate_filters.config import ConsistencyDelayConfig
from storegate_filters.ulids import ulid_time

STATE = "too-fresh"
EXEMPT = frozenset({"compactor", "compactor.repair", "bucket.repair"})
"""Uploaders whose blocks replace others at once, so that waiting would leave a hole."""

_gauges: Final[WeakKeyDictionary[CollectorRegistry, Gauge]] = WeakKeyDictionary()


def make_filter(config: ConsistencyDelayConfig, context: PluginContext) -> ConsistencyDelay:
    """Factory of the provider `consistency-delay`."""
    _gauge(context.registry).set(config.delay)
    return ConsistencyDelay(config.delay)


def _gauge(registry: CollectorRegistry) -> Gauge:
    """The gauge of a registry; a chain may hold this filter twice."""
    if registry not in _gauges:
        name, text = "thanos_consistency_delay_seconds", "Configured minimum age of fresh blocks."
        _gauges[registry] = Gauge(name, text, registry=registry)
    return _gauges[registry]


class ConsistencyDelay:
    """Drop blocks younger than `delay` seconds, by upload time or else by the time in their ULID. Pure.

    0 is off: then not even a block from the future (clocks differ) is dropped.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay * 1000

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        """See `storegate.MetaFilter.select`."""
        if self._delay <= 0:
            return {}
        return {
            ulid: STATE
            for ulid, meta in metas.items()
            if meta.source not in EXEMPT and context.now - _born(meta) < self._delay
        }


def _born(meta: BlockMeta) -> int:
    return ulid_time(meta.ulid) if meta.upload_time is None else meta.upload_time
