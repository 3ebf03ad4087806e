"""Stop serving blocks before their objects are deleted."""

from __future__ import annotations

from collections.abc import Mapping

from storegate import BlockMeta, FilterContext, PluginContext
from storegate_filters.config import IgnoreDeletionMarkConfig

STATE = "marked-for-deletion"


def make_filter(config: IgnoreDeletionMarkConfig, context: PluginContext) -> IgnoreDeletionMark:
    """Factory of the provider `ignore-deletion-mark`."""
    return IgnoreDeletionMark(config.delay)


class IgnoreDeletionMark:
    """Drop blocks whose mark is strictly older than `delay` seconds, so that replacements can load first. Pure."""

    def __init__(self, delay: float) -> None:
        self._delay = delay * 1000

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        """See `storegate.MetaFilter.select`."""
        return {
            ulid: STATE
            for ulid, mark in context.marks.items()
            if ulid in metas and context.now - mark.deletion_time > self._delay
        }
