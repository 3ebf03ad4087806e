"""Hypothesis strategies: labels, postings, matchers, requests, blocks, and damage.

Names and values come mostly from small pools, so that matchers meet labels; the rest is any text. Blocks are small:
their purpose is to be odd, not large.
"""

from __future__ import annotations

from storegate.testing.strategies.blocks import (
    TIME_SPAN,
    BlockPlan,
    aggregate_chunks,
    block_plans,
    buckets,
    float_samples,
    histogram_samples,
    raw_chunks,
)
from storegate.testing.strategies.damage import damaged
from storegate.testing.strategies.labels import (
    external_label_sets,
    label_names,
    label_sets,
    label_values,
    postings_lists,
)
from storegate.testing.strategies.requests import (
    label_names_requests,
    label_values_requests,
    matcher_lists,
    matchers,
    patterns,
    series_requests,
    shards,
)

__all__ = [
    "TIME_SPAN",
    "BlockPlan",
    "aggregate_chunks",
    "block_plans",
    "buckets",
    "damaged",
    "external_label_sets",
    "float_samples",
    "histogram_samples",
    "label_names",
    "label_names_requests",
    "label_sets",
    "label_values",
    "label_values_requests",
    "matcher_lists",
    "matchers",
    "patterns",
    "postings_lists",
    "raw_chunks",
    "series_requests",
    "shards",
]
