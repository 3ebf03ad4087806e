"""Series of several blocks in one order."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from storegate.errors import CorruptError
from storegate.query.merge import MergedSeries, merge_series
from storegate.query.select import SelectedSeries

Chunk = tuple[int, int, int, int]


def part(
    labels: list[str], chunks: list[list[Chunk]] | None = None, *, segments: int = 1, known: int = 0,
    sizes: list[int | None] | None = None, name: str = "B", distinct: bool = True,
) -> SelectedSeries:  # fmt: skip
    """A block's series; label sets are texts, as one label `x` each."""
    block: Any = SimpleNamespace(
        meta=SimpleNamespace(chunk_max_size=known, ulid=name),
        index_key=f"{name}/index",
        segments=[f"{name}/{i}" for i in range(segments)],
        segment_sizes=sizes or [100] * segments,
    )
    encoded = [bytes((10, 5 + len(text), 10, 1, 120, 18, len(text))) + text.encode() for text in labels]
    chunks = chunks or [[] for _ in labels]
    return SelectedSeries(
        block,
        np.frombuffer(b"".join(encoded), np.uint8),
        np.cumsum([0, *map(len, encoded)]).astype(np.int64),
        np.cumsum([0, *map(len, chunks)]).astype(np.int64),
        np.array([row for rows in chunks for row in rows], np.int64).reshape(-1, 4),
        distinct,
    )


def order_of(merged: MergedSeries) -> list[str]:
    """Label texts in merged order, those that go on with the series before them marked `+`."""
    spans = list(pairwise(merged.label_start.tolist()))
    found = []
    for row, first in zip(merged.order.tolist(), merged.first.tolist(), strict=True):
        text = merged.labels[spans[row][0] + 7 : spans[row][1]].tobytes().decode()
        found.append(text if first else f"+{text}")
    return found


def test_series_of_one_block_keep_their_order() -> None:
    assert order_of(merge_series([part(["a", "b", "c"])], 16)) == ["a", "b", "c"]


def test_series_of_all_blocks_come_in_one_order() -> None:
    assert order_of(merge_series([part(["a", "d"]), part(["b", "e"]), part(["c"])], 16)) == ["a", "b", "c", "d", "e"]


def test_equal_series_of_several_blocks_belong_together() -> None:
    assert order_of(merge_series([part(["a", "b"]), part(["b", "c"])], 16)) == ["a", "b", "+b", "c"]


def test_equal_series_of_one_block_belong_together() -> None:
    assert order_of(merge_series([part(["a", "a", "b"], distinct=False)], 16)) == ["a", "+a", "b"]


def test_equal_series_come_in_the_order_of_their_blocks() -> None:
    merged = merge_series([part(["b"]), part(["a", "b"]), part(["b"])], 16)
    assert merged.order.tolist() == [1, 0, 2, 3]


def test_chunks_stay_with_their_series() -> None:
    rows: list[list[Chunk]] = [[(0, 9, 8, 0)], [], [(10, 19, 8, 0), (20, 29, 48, 0)]]
    merged = merge_series([part(["a", "b"], rows[:2]), part(["c"], rows[2:])], 16)
    assert merged.chunk_start.tolist() == [0, 1, 1, 3]
    assert merged.chunks[:, 0].tolist() == [0, 10, 20]


def test_segments_are_numbered_through_all_blocks() -> None:
    one = part(["a"], [[(0, 9, 1 << 32 | 8, 0)]], segments=2, name="A")
    two = part(["b"], [[(0, 9, 8, 0)]], segments=1, name="B")
    merged = merge_series([one, two], 16)
    assert [merged.keys[ref >> 32] for ref in merged.chunks[:, 2].tolist()] == ["A/1", "B/0"]


def test_a_segment_that_a_block_does_not_have_is_no_segment_of_the_next_block() -> None:
    one, two = part(["a"], [[(0, 9, 1 << 32 | 8, 0)]], name="A"), part(["b"], [[(0, 9, 8, 0)]], name="B")
    with pytest.raises(CorruptError, match="A/index: a chunk ref names an unknown segment") as raised:
        merge_series([one, two], 16)
    assert (raised.value.block, raised.value.stage) == ("A", "chunks")


def test_offsets_inside_segments_stay() -> None:
    merged = merge_series([part(["a"], [[(0, 9, 8, 0)]]), part(["b"], [[(0, 9, 77, 0)]])], 16)
    assert [ref & 0xFFFFFFFF for ref in merged.chunks[:, 2].tolist()] == [8, 77]


@pytest.mark.parametrize(
    ("known", "chunk_size", "guess"), [(0, 16_000, 16_000), (5, 16_000, 1024), (5000, 16_000, 5000), (50_000, 16, 16)]
)
def test_the_guess_for_a_chunk_follows_the_block_within_the_setting(known: int, chunk_size: int, guess: int) -> None:
    assert merge_series([part(["a"], known=known)], chunk_size).files.tolist() == [[guess, 100]]


def test_a_segment_of_unknown_size_has_none() -> None:
    assert merge_series([part(["a"], sizes=[None])], 16).files.tolist() == [[16, 0]]


def test_the_number_of_blocks_is_kept() -> None:
    assert merge_series([part(["a"]), part(["b"])], 16).blocks == 2
