"""The filter itself; imported when a configuration uses it."""

from __future__ import annotations

from collections.abc import Mapping

from storegate import BlockMeta, FilterContext, PluginContext
from storegate_example import ColdBlocksConfig


class ColdBlocks:
    """Drops blocks that end less than `older_than` seconds before now."""

    def __init__(self, older_than: float) -> None:
        self._older_than = int(older_than * 1000)

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        newest = context.now - self._older_than
        return {ulid: "too-young" for ulid, meta in metas.items() if meta.max_time > newest}


def make_filter(config: ColdBlocksConfig, context: PluginContext) -> ColdBlocks:
    return ColdBlocks(config.older_than)
