"""The meta filters of `thanos store`: which blocks this gateway leaves out."""

from __future__ import annotations

from collections.abc import Iterator

import storegate
from storegate_filters.config import (
    ConsistencyDelayConfig,
    DeduplicateConfig,
    ExpressionConfig,
    IgnoreDeletionMarkConfig,
    LabelShardConfig,
    TimePartitionConfig,
)


@storegate.hookimpl
def storegate_meta_filters() -> Iterator[storegate.MetaFilterProvider]:
    yield storegate.MetaFilterProvider(
        name="time-partition",
        summary="keep blocks that reach into a range of time",
        config=TimePartitionConfig,
        factory="storegate_filters.time_partition:make_filter",
        states=("time-excluded",),
    )
    yield storegate.MetaFilterProvider(
        name="label-shard",
        summary="keep blocks whose external labels pass relabel rules",
        config=LabelShardConfig,
        factory="storegate_filters.label_shard:make_filter",
        states=("label-excluded",),
    )
    yield storegate.MetaFilterProvider(
        name="consistency-delay",
        summary="wait until fresh uploads have settled",
        config=ConsistencyDelayConfig,
        factory="storegate_filters.consistency_delay:make_filter",
        states=("too-fresh",),
    )
    yield storegate.MetaFilterProvider(
        name="ignore-deletion-mark",
        summary="leave out blocks that have been marked for deletion for a while",
        config=IgnoreDeletionMarkConfig,
        factory="storegate_filters.deletion_mark:make_filter",
        states=("marked-for-deletion",),
    )
    yield storegate.MetaFilterProvider(
        name="deduplicate",
        summary="leave out blocks whose data another block covers",
        config=DeduplicateConfig,
        factory="storegate_filters.deduplicate:make_filter",
        states=("duplicate",),
    )
    yield storegate.MetaFilterProvider(
        name="expression",
        summary="keep or drop blocks by a condition on everything that their meta says",
        config=ExpressionConfig,
        factory="storegate_filters.expression:make_filter",
        states=("expression-excluded",),
    )
