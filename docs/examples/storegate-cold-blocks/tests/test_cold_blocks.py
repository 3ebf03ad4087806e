from __future__ import annotations

from storegate_cold_blocks.cold_blocks import ColdBlocks

from storegate import BlockMeta, FilterContext

OLD = BlockMeta(ulid="01AAAAAAAAAAAAAAAAAAAAAAAA", min_time=0, max_time=1_000)
YOUNG = BlockMeta(ulid="01BBBBBBBBBBBBBBBBBBBBBBBB", min_time=1_000, max_time=60_000)


def test_young_blocks_are_left_out() -> None:
    metas = {meta.ulid: meta for meta in (OLD, YOUNG)}
    assert ColdBlocks(older_than=10.0).select(metas, FilterContext(now=65_000)) == {YOUNG.ulid: "too-young"}
