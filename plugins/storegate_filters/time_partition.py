"""Serve a range of time."""

from __future__ import annotations

from collections.abc import Mapping

from storegate import BlockMeta, FilterContext, PluginContext
from storegate.config.units import resolve_time
from storegate_filters.config import TimePartitionConfig

STATE = "time-excluded"


def make_filter(config: TimePartitionConfig, context: PluginContext) -> TimePartition:
    """Factory of the provider `time-partition`."""
    return TimePartition(config.min_time, config.max_time)


class TimePartition:
    """Drop blocks that end before `min_time` or begin after `max_time` (RFC 3339, or relative to the sync). Pure.

    Touching is enough to stay, at either end.
    """

    def __init__(self, min_time: str, max_time: str) -> None:
        self._min_time = min_time
        self._max_time = max_time

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        """See `storegate.MetaFilter.select`."""
        earliest = resolve_time(self._min_time, context.now)
        latest = resolve_time(self._max_time, context.now)
        return {ulid: STATE for ulid, meta in metas.items() if meta.max_time < earliest or meta.min_time > latest}
