"""Shard blocks over several gateways by their external labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storegate import BlockMeta, FilterContext, PluginContext
from storegate_filters.config import LabelShardConfig
from storegate_filters.relabel import RelabelRule, keeps

STATE = "label-excluded"
BLOCK_ID = "__block_id"


def make_filter(config: LabelShardConfig, context: PluginContext) -> LabelShard:
    """Factory of the provider `label-shard`."""
    return LabelShard(config.rules)


class LabelShard:
    """Drop blocks that the rules drop; they see the external labels and the ULID as `__block_id`. Pure."""

    def __init__(self, rules: Sequence[RelabelRule]) -> None:
        self._rules = tuple(rules)

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        """See `storegate.MetaFilter.select`."""
        if not self._rules:
            return {}
        return {ulid: STATE for ulid, meta in metas.items() if not keeps(self._rules, {**meta.labels, BLOCK_ID: ulid})}
