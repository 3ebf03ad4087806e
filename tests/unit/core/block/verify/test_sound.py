"""Blocks that are sound are found to be, and counted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.testing.strategies import block_plans

LAYOUTS = {
    "v2": {},
    "v2-with-label-indices": {"label_indices": True},
    "v1": {"index_version": 1},
    "v1-with-label-indices": {"index_version": 1, "label_indices": True},
    "many-segments": {"segment_size": 500},
    "downsampled": {"resolution": 300_000},
    "without-files": {"files": False, "segment_files": False, "index_stats": False},
    "plain-prometheus": {"thanos": False},
}


@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS)
def test_a_block_of_any_layout_is_sound(make: Any, options: dict[str, Any]) -> None:
    block = make(**options)
    verdict = block.verify()
    assert (verdict.problems, verdict.sound, verdict.complete) == ((), True, True)
    stats = block.obvious().document["stats"]
    assert (verdict.series, verdict.chunks) == (stats["numSeries"], stats["numChunks"])
    assert verdict.samples == stats["numSamples"]


@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("part", [1, 40, 300])
def test_windows_of_any_size_give_the_same(make: Any, small_windows: Any, options: dict[str, Any], part: int) -> None:
    block = make(**options)
    whole = block.verify()
    with small_windows(part):
        cut = block.verify()
    assert (cut.problems, cut.series, cut.chunks, cut.samples) == ((), whole.series, whole.chunks, whole.samples)


@given(plan=block_plans(), part=st.sampled_from((1, 64, 1 << 20)))
def test_random_blocks_are_sound(make_raw: Any, small_windows: Any, plan: Any, part: int) -> None:
    block = make_raw(plan.series, options=plan.options)
    with small_windows(part):
        verdict = block.verify()
    assert verdict.problems == ()
    assert verdict.series == len(plan.series)
    assert verdict.chunks == sum(len(chunks) for _, chunks in plan.series)


def test_a_block_without_series_is_sound(make: Any) -> None:
    verdict = make([]).verify()
    assert (verdict.problems, verdict.series, verdict.chunks) == ((), 0, 0)


def test_the_size_is_that_of_index_and_chunks(make: Any) -> None:
    block = make()
    assert block.verify().bytes == len(block.get("index")) + len(block.get("chunks/000001"))


def test_progress_goes_up_to_the_size(make: Any) -> None:
    told: list[tuple[int, int]] = []
    verdict = make().verify(progress=lambda read, total: told.append((read, total)))
    reads = [read for read, _ in told]
    assert {total for _, total in told} == {verdict.bytes}
    assert reads == sorted(reads)
    assert verdict.bytes * 0.7 < reads[-1] <= verdict.bytes
