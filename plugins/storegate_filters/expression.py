"""Keep or drop blocks by an expression over everything that their meta says."""

from __future__ import annotations

from collections.abc import Mapping

from storegate import BlockMeta, FilterContext, PluginContext
from storegate_filters.config import ExpressionConfig
from storegate_filters.expression_language import parse

STATE = "expression-excluded"


def make_filter(config: ExpressionConfig, context: PluginContext) -> ExpressionFilter:
    """Factory of the provider `expression`."""
    return ExpressionFilter(config)


class ExpressionFilter:
    """Drops the blocks for which `keep` is false, or `drop` is true. Pure."""

    def __init__(self, config: ExpressionConfig) -> None:
        self._drops = config.drop is not None
        self._holds = parse(config.drop if config.drop is not None else config.keep or "")

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        """See `storegate.MetaFilter.select`."""
        return {ulid: STATE for ulid, meta in metas.items() if self._holds(meta, context) is self._drops}
