"""Leave out blocks that a compacted block replaces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from storegate import BlockMeta, FilterContext, PluginContext
from storegate_filters.config import DeduplicateConfig

STATE = "duplicate"


def make_filter(config: DeduplicateConfig, context: PluginContext) -> Deduplicate:
    """Factory of the provider `deduplicate`."""
    return Deduplicate()


class Deduplicate:
    """Drop a block when one other block of its resolution and external labels has all its sources. Pure.

    Of equal source sets the smallest ULID stays. A block without sources is covered by any other block.
    """

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        """See `storegate.MetaFilter.select`."""
        groups: dict[tuple[int, frozenset[tuple[str, str]]], list[BlockMeta]] = defaultdict(list)
        for meta in metas.values():
            groups[meta.resolution, frozenset(meta.labels.items())].append(meta)
        return {ulid: STATE for group in groups.values() for ulid in _covered(group)}


def _covered(group: Iterable[BlockMeta]) -> Iterable[str]:
    """ULIDs of the blocks that a block with more sources, or else a smaller ULID, covers."""
    kept = 0
    holders: dict[str, list[frozenset[str]]] = defaultdict(list)  # source -> source sets of kept blocks that have it
    for meta in sorted(group, key=lambda meta: (-len(meta.sources), meta.ulid)):
        sources = frozenset(meta.sources)
        # Whoever covers this block holds each of its sources: look only where fewest blocks do.
        rarest = min((holders.get(source, []) for source in sources), key=len, default=None)
        if kept if rarest is None else any(sources <= other for other in rarest):
            yield meta.ulid
            continue
        kept += 1
        for source in sources:
            holders[source].append(sources)
