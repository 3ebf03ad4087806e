"""The filter ignore-deletion-mark."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storegate import BlockMeta, DeletionMark, FilterContext, PluginContext
from storegate_filters.config import IgnoreDeletionMarkConfig
from storegate_filters.deletion_mark import IgnoreDeletionMark, make_filter

Make = Callable[..., BlockMeta]


def dropped(delay: float, meta: BlockMeta, now: int, marked: int | None) -> bool:
    marks = {} if marked is None else {meta.ulid: DeletionMark(ulid=meta.ulid, deletion_time=marked)}
    found = IgnoreDeletionMark(delay).select({meta.ulid: meta}, FilterContext(now=now, marks=marks))
    assert set(found.values()) <= {"marked-for-deletion"}
    return meta.ulid in found


@pytest.mark.parametrize(
    ("age", "is_dropped"), [(-50_000, False), (0, False), (10_000, False), (10_001, True), (10**9, True)]
)
def test_a_marked_block_goes_when_the_mark_is_older_than_the_delay(meta: Make, age: int, is_dropped: bool) -> None:
    assert dropped(10.0, meta(1), now=10**9, marked=10**9 - age) is is_dropped


def test_a_block_without_a_mark_stays(meta: Make) -> None:
    assert not dropped(0.0, meta(1), now=10**9, marked=None)


def test_without_a_delay_a_mark_hides_its_block_at_once(meta: Make) -> None:
    assert dropped(0.0, meta(1), now=1_001, marked=1_000)


def test_a_mark_of_a_block_that_an_earlier_filter_dropped_is_left_alone(meta: Make, ulid: Callable[[int], str]) -> None:
    marks = {ulid(2): DeletionMark(ulid=ulid(2), deletion_time=0)}
    block = meta(1)
    assert IgnoreDeletionMark(0.0).select({block.ulid: block}, FilterContext(now=10**9, marks=marks)) == {}


def test_the_default_delay_is_a_day(meta: Make, context: PluginContext) -> None:
    meta_filter = make_filter(IgnoreDeletionMarkConfig(), context)
    block, day = meta(1), 86_400_000
    marks = {block.ulid: DeletionMark(ulid=block.ulid, deletion_time=0)}
    assert meta_filter.select({block.ulid: block}, FilterContext(now=day, marks=marks)) == {}
    assert meta_filter.select({block.ulid: block}, FilterContext(now=day + 1, marks=marks)) != {}
