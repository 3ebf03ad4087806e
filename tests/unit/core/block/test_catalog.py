"""Choosing blocks for a request."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storegate import BlockMeta
from storegate.block.block import Block, Labels
from storegate.block.catalog import BlockCatalog, CatalogSnapshot, CoveredTime

RAW, FIVE_MINUTES, HOUR = 0, 300_000, 3_600_000
EVERYTHING = (-(10**9), 10**9)


class Range(NamedTuple):
    """What the choice of a block depends on."""

    min_time: int
    max_time: int
    resolution: int


class FakeBlock:
    """A block without contents."""

    def __init__(self, ulid: str, min_time: int, max_time: int, resolution: int = RAW, **labels: str) -> None:
        self.meta = BlockMeta(ulid=ulid, min_time=min_time, max_time=max_time, resolution=resolution, labels=labels)
        self.labels = tuple(sorted(labels.items()))


def make(ulid: str, min_time: int, max_time: int, resolution: int = RAW, **labels: str) -> Block:
    return cast(Block, FakeBlock(ulid, min_time, max_time, resolution, **labels))


def snapshot(blocks: Iterable[Block]) -> CatalogSnapshot:
    return CatalogSnapshot({block.meta.ulid: block for block in blocks})


def anything(labels: Labels) -> bool:
    return True


def chosen(blocks: Iterable[Block], mint: int, maxt: int, max_resolution: int = RAW, **filters: Any) -> str:
    """The names of the chosen blocks in order, one after the other."""
    selections = snapshot(blocks).select_series(mint, maxt, max_resolution, filters.pop("group", anything), **filters)
    return "".join(block.meta.ulid for selection in selections for block in selection.blocks)


# --- Series: examples -------------------------------------------------------------------------------------------------


def test_a_block_covers_its_start_but_not_its_end() -> None:
    block = [make("a", 10, 20)]
    assert [chosen(block, t, t) for t in (9, 10, 19, 20)] == ["", "a", "a", ""]


def test_blocks_come_in_order_of_time() -> None:
    assert chosen([make("c", 20, 30), make("b", 10, 30), make("a", 10, 20)], 0, 100) == "abc"


def test_overlapping_blocks_are_all_chosen() -> None:
    assert chosen([make("a", 0, 100), make("b", 10, 20), make("c", 50, 150)], 0, 200) == "abc"


def test_a_range_that_ends_before_it_begins_chooses_nothing() -> None:
    assert chosen([make("a", 0, 100)], 50, 49) == ""


def test_the_resolution_asked_for_limits_how_coarse_blocks_may_be() -> None:
    blocks = [make("r", 0, 100), make("m", 0, 100, FIVE_MINUTES), make("h", 0, 100, HOUR)]
    wanted = {0: "r", FIVE_MINUTES - 1: "r", FIVE_MINUTES: "m", HOUR - 1: "m", HOUR: "h", 10**12: "h"}
    assert {resolution: chosen(blocks, 0, 99, resolution) for resolution in wanted} == wanted


@pytest.mark.parametrize("resolution", [-1, -(2**63)])
def test_a_negative_resolution_means_raw(resolution: int) -> None:
    assert chosen([make("r", 0, 100), make("m", 0, 100, FIVE_MINUTES)], 0, 99, resolution) == "r"


def test_gaps_between_coarse_blocks_are_filled_by_finer_ones() -> None:
    coarse = [make("H", 10, 20, HOUR), make("I", 30, 40, HOUR)]
    raw = [make("a", 0, 10), make("b", 10, 20), make("c", 20, 30), make("d", 30, 40), make("e", 40, 50)]
    assert chosen([*coarse, *raw], 0, 49, HOUR) == "aHcIe"


def test_gaps_are_filled_level_by_level() -> None:
    blocks = [make("h", 0, 10, HOUR), make("m", 10, 20, FIVE_MINUTES), make("r", 0, 30), make("s", 20, 30)]
    assert chosen(blocks, 0, 29, HOUR) == "hmrs"


def test_a_fine_block_that_spans_two_gaps_is_chosen_once() -> None:
    blocks = [make("m", 10, 20, FIVE_MINUTES), make("r", 0, 30)]
    assert chosen(blocks, 0, 29, FIVE_MINUTES) == "rm"


def test_a_nested_coarse_block_does_not_open_a_gap() -> None:
    blocks = [make("m", 0, 100, FIVE_MINUTES), make("n", 10, 20, FIVE_MINUTES), make("r", 50, 60)]
    assert chosen(blocks, 0, 99, FIVE_MINUTES) == "mn"


def test_a_refused_block_still_covers_its_time() -> None:
    blocks = [make("m", 0, 50, FIVE_MINUTES), make("r", 0, 50), make("s", 50, 100)]
    assert chosen(blocks, 0, 99, FIVE_MINUTES, block=lambda block: block.meta.ulid != "m") == "s"


def test_each_label_set_is_chosen_for_itself_with_what_its_filter_remembers() -> None:
    blocks = [make("a", 0, 10, zone="1"), make("b", 0, 10, zone="2"), make("c", 0, 10), make("d", 90, 99, zone="1")]

    def group(labels: Labels) -> str | None:
        return dict(labels).get("zone")

    selections = snapshot(blocks).select_series(0, 50, RAW, group)
    assert [(s.labels, s.matched, [b.meta.ulid for b in s.blocks]) for s in selections] == [
        ((("zone", "1"),), "1", ["a"]),
        ((("zone", "2"),), "2", ["b"]),
    ]


# --- Series: properties -----------------------------------------------------------------------------------------------

TIMES = st.integers(0, 24)
RANGES = st.lists(
    st.tuples(TIMES, st.integers(1, 12), st.sampled_from([RAW, RAW, FIVE_MINUTES, HOUR])).map(
        lambda spec: Range(spec[0], spec[0] + spec[1], spec[2])
    ),
    max_size=9,
)
REQUEST = (TIMES, TIMES, st.sampled_from([-1, 0, FIVE_MINUTES, HOUR, 10**9]))


def blocks_of(ranges: list[Range]) -> list[Block]:
    return [make(chr(ord("a") + i), *spec) for i, spec in enumerate(ranges)]


def moments_chosen(ranges: list[Range], moments: set[int], levels: list[int]) -> set[int]:
    """Which ranges serve a set of moments: every moment is served by the coarsest level that has it."""
    if not levels or not moments:
        return set()
    found = {
        i
        for i, spec in enumerate(ranges)
        if spec.resolution == levels[0] and not moments.isdisjoint(range(spec.min_time, spec.max_time))
    }
    covered = {moment for i in found for moment in range(ranges[i].min_time, ranges[i].max_time)}
    return found | moments_chosen(ranges, moments - covered, levels[1:])


@given(RANGES, *REQUEST)
@example([Range(0, 10, FIVE_MINUTES), Range(2, 3, FIVE_MINUTES), Range(5, 6, RAW)], 0, 9, FIVE_MINUTES)
def test_every_moment_is_served_by_the_coarsest_level_that_has_it(
    ranges: list[Range], mint: int, maxt: int, resolution: int
) -> None:
    levels = [level for level in (HOUR, FIVE_MINUTES, RAW) if level <= max(0, resolution)]
    expected = moments_chosen(ranges, set(range(mint, maxt + 1)), levels)
    found = chosen(blocks_of(ranges), mint, maxt, resolution)
    assert {ord(name) - ord("a") for name in found} == expected
    assert len(set(found)) == len(found)


@given(RANGES, *REQUEST)
def test_blocks_of_one_level_come_in_order_of_time(ranges: list[Range], mint: int, maxt: int, resolution: int) -> None:
    blocks = blocks_of(ranges)
    found = [ranges[ord(name) - ord("a")] for name in chosen(blocks, mint, maxt, resolution)]
    coarsest = [spec[:2] for spec in found if spec.resolution == max(s.resolution for s in found)]
    assert coarsest == sorted(coarsest)


@given(RANGES, *REQUEST, st.sets(st.integers(0, 8)))
def test_refusing_blocks_takes_out_those_and_adds_none(
    ranges: list[Range], mint: int, maxt: int, resolution: int, refused: set[int]
) -> None:
    blocks = blocks_of(ranges)
    names = {chr(ord("a") + i) for i in refused}
    all_of_them = chosen(blocks, mint, maxt, resolution)
    kept = chosen(blocks, mint, maxt, resolution, block=lambda block: block.meta.ulid not in names)
    assert kept == "".join(name for name in all_of_them if name not in names)


# --- label calls ------------------------------------------------------------------------------------------------------


def test_label_calls_choose_every_overlapping_block_of_any_resolution() -> None:
    blocks = [make("r", 0, 10), make("m", 5, 20, FIVE_MINUTES), make("h", 20, 30, HOUR)]
    catalog = snapshot(blocks)

    def names(start: int, end: int, **filters: Any) -> str:
        selections = catalog.select_labels(start, end, anything, **filters)
        return "".join(block.meta.ulid for selection in selections for block in selection.blocks)

    assert names(0, 100) == "rmh"
    assert names(9, 9) == "rm"
    assert names(10, 19) == "m"
    assert names(20, 20) == "h"
    assert names(30, 99) == ""
    assert names(0, 100, block=lambda block: block.meta.resolution == HOUR) == "h"


def test_label_calls_leave_out_label_sets_that_the_filter_refuses() -> None:
    catalog = snapshot([make("a", 0, 10, zone="1"), make("b", 0, 10, zone="2")])
    selections = catalog.select_labels(0, 9, lambda labels: "yes" if ("zone", "2") in labels else None)
    assert [(selection.matched, selection.blocks[0].meta.ulid) for selection in selections] == [("yes", "b")]


# --- what is advertised -----------------------------------------------------------------------------------------------


def infos(*blocks: Block) -> list[tuple[int, int]]:
    return [(info.min_time, info.max_time) for info in snapshot(blocks).tsdb_infos()]


def test_touching_and_overlapping_blocks_join() -> None:
    assert infos(make("a", 0, 10), make("b", 10, 20), make("c", 15, 30), make("d", 31, 40)) == [(0, 30), (31, 40)]


def test_a_nested_block_does_not_shorten_the_stretch() -> None:
    assert infos(make("a", 1000, 100_000), make("b", 2000, 3000), make("c", 50_000, 60_000)) == [(1000, 100_000)]


def test_all_resolutions_count_and_label_sets_are_apart() -> None:
    catalog = snapshot([make("a", 0, 10, x="1"), make("b", 5, 20, HOUR, x="1"), make("c", 0, 10, x="2")])
    assert catalog.tsdb_infos() == [CoveredTime((("x", "1"),), 0, 20), CoveredTime((("x", "2"),), 0, 10)]


@given(RANGES)
def test_the_stretches_cover_the_same_moments_as_the_blocks(ranges: list[Range]) -> None:
    stretches = infos(*blocks_of(ranges))
    moments = {m for spec in ranges for m in range(spec.min_time, spec.max_time)}
    assert {m for start, end in stretches for m in range(start, end)} == moments
    assert all(a[1] < b[0] for a, b in pairwise(stretches))


def test_label_sets_are_those_of_live_blocks_alone() -> None:
    catalog = BlockCatalog()
    catalog.update(add=[make("a", 0, 10, x="2"), make("b", 0, 10, x="1"), make("c", 0, 10)])
    assert catalog.label_sets() == [(), (("x", "1"),), (("x", "2"),)]
    catalog.remove("a")
    assert catalog.label_sets() == [(), (("x", "1"),)]


def test_the_time_range_spans_all_blocks_and_an_empty_catalog_overlaps_nothing() -> None:
    catalog = BlockCatalog()
    assert catalog.time_range() == (2**63 - 1, -(2**63))
    catalog.update(add=[make("a", 5, 10), make("b", 0, 7, HOUR)])
    assert catalog.time_range() == (0, 10)


# --- changes ----------------------------------------------------------------------------------------------------------


def test_a_snapshot_does_not_change() -> None:
    catalog = BlockCatalog()
    catalog.add(make("a", 0, 10))
    before = catalog.snapshot()
    catalog.update(add=[make("b", 0, 10)], remove=["a"])
    assert list(before.blocks) == ["a"]
    assert list(catalog.snapshot().blocks) == ["b"]


def test_an_update_gives_the_blocks_that_left() -> None:
    catalog = BlockCatalog()
    old, other = make("a", 0, 10), make("b", 0, 10)
    catalog.update(add=[old, other])
    new = make("a", 0, 20)
    assert catalog.update(add=[new], remove=["b", "unknown"]) == [other, old]
    assert catalog.get("a") is new
    assert "b" not in catalog
    assert len(catalog) == 1


def test_removing_an_unknown_block_gives_none() -> None:
    assert BlockCatalog().remove("a") is None


def test_calls_on_the_catalog_answer_from_the_current_snapshot() -> None:
    catalog = BlockCatalog()
    catalog.add(make("a", *EVERYTHING))
    assert [selection.blocks[0].meta.ulid for selection in catalog.select_series(0, 1, RAW, anything)] == ["a"]
    assert [selection.blocks[0].meta.ulid for selection in catalog.select_labels(0, 1, anything)] == ["a"]
    assert len(catalog.tsdb_infos()) == 1
