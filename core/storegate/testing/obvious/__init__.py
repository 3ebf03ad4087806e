"""A reader of blocks and an engine of answers that are slow and obvious: what the fast path is compared with.

Plain Python, whole files in memory, nothing shared with `storegate.index`, `storegate.query` or the kernels
(the records of requests aside).
"""

from __future__ import annotations

from storegate.testing.obvious.answers import (
    AnswerChunk,
    AnswerSeries,
    final_labels,
    in_shard,
    labels_key,
    obvious_label_names,
    obvious_label_values,
    obvious_series,
)
from storegate.testing.obvious.block import ObviousBlock, read_block
from storegate.testing.obvious.bucket import read_bucket, without_superseded
from storegate.testing.obvious.index import ChunkEntry, IndexSeries, ObviousIndex, read_index
from storegate.testing.obvious.matching import Matcher, all_match, compile_matchers

__all__ = [
    "AnswerChunk",
    "AnswerSeries",
    "ChunkEntry",
    "IndexSeries",
    "Matcher",
    "ObviousBlock",
    "ObviousIndex",
    "all_match",
    "compile_matchers",
    "final_labels",
    "in_shard",
    "labels_key",
    "obvious_label_names",
    "obvious_label_values",
    "obvious_series",
    "read_block",
    "read_bucket",
    "read_index",
    "without_superseded",
]
