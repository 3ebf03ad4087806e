"""What the scripts compute, compared with the obvious way to compute it."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page

OVERLAPS = """async ([url, cases]) => {
  const { findOverlaps } = await import(url);
  const plain = ({ min, max, blocks }) => [min, max, [...blocks].map((block) => block.ulid)];
  return cases.map((blocks) => findOverlaps(blocks).map(plain));
}"""
LAYOUT = """async ([url, cases]) => {
  const { layout } = await import(url);
  const plain = (row) => [row.y, row.blocks.map((block) => block.ulid)];
  return cases.map((blocks) => layout(blocks).rows.map(plain));
}"""
TICKS = """async ([url, ranges]) => {
  const { ticks } = await import(url);
  return ranges.map(([from, to, most]) => ticks(from, to, most).map(([time]) => time));
}"""
DECODED = """async ([url, label]) => {
  const { decode, layout } = await import(url);
  const answer = await (await fetch("ui/blocks.json")).json();
  return layout(decode({ ...answer, group: label }).blocks).rows.map((row) => row.group).filter((group) => group);
}"""


def cases() -> list[list[dict[str, Any]]]:
    source = random.Random(7)
    made = []
    for _ in range(200):
        blocks = []
        for number in range(source.randrange(9)):
            begin = source.randrange(20)
            end = begin + source.randrange(1, 8)
            state = source.choice(["loaded", "loaded", "marked", "filtered"])
            pool = {
                "set": source.randrange(2),
                "resolution": source.choice([0, 300_000]),
                "level": source.choice([1, 2]),
            }
            blocks.append({"ulid": number, "min": begin, "max": end, "state": state, "placed": True, **pool})
            blocks[-1]["group"] = str(pool["set"])
        made.append(blocks)
    return made


@pytest.fixture
def page(house: Any, visit: Callable[..., Page]) -> Page:
    return visit(f"{house.url}/status")


def served(case: list[dict[str, Any]], time: float) -> dict[tuple[int, int], set[int]]:
    """The blocks that serve this moment, by label set and resolution."""
    pools: dict[tuple[int, int], set[int]] = {}
    for block in case:
        if block["state"] != "filtered" and block["min"] <= time < block["max"]:
            pools.setdefault((block["set"], block["resolution"]), set()).add(block["ulid"])
    return pools


def test_overlaps_are_where_two_blocks_serve_one_moment(page: Page, house: Any) -> None:
    made = cases()
    found = page.evaluate(OVERLAPS, [f"{house.url}/ui/static/model.js", made])
    for case, overlaps in zip(made, found, strict=True):
        for moment in range(30):
            wanted = {ulid for pool in served(case, moment + 0.5).values() if len(pool) > 1 for ulid in pool}
            named = {ulid for low, high, ulids in overlaps if low <= moment < high for ulid in ulids}
            assert wanted <= named
        lone = {b["ulid"] for b in case} - {
            ulid for moment in range(30) for pool in served(case, moment).values() if len(pool) > 1 for ulid in pool
        }
        assert not lone & {ulid for _, _, ulids in overlaps for ulid in ulids}


def test_every_block_has_a_place_of_its_own(page: Page, house: Any) -> None:
    made = cases()
    for case, rows in zip(made, page.evaluate(LAYOUT, [f"{house.url}/ui/static/model.js", made]), strict=True):
        by_ulid = {block["ulid"]: block for block in case}
        assert sorted(ulid for _, ulids in rows for ulid in ulids) == sorted(by_ulid)
        assert [y for y, _ in rows] == sorted({y for y, _ in rows})
        for _, ulids in rows:
            placed = [by_ulid[ulid] for ulid in ulids]
            assert all(a["max"] <= b["min"] for a, b in pairwise(placed))
            assert len({(b["group"], b["resolution"], b["level"]) for b in placed}) <= 1


def test_the_ruler_has_marks_for_any_stretch_of_time(page: Page, house: Any) -> None:
    spans = [60_000 * 2**power for power in range(27)]
    ranges = [[1_790_000_000_000 - span, 1_790_000_000_000, 12] for span in spans]
    for (low, high, most), marks in zip(
        ranges, page.evaluate(TICKS, [f"{house.url}/ui/static/texts.js", ranges]), strict=True
    ):
        assert marks == sorted(set(marks))
        assert all(low <= mark <= high for mark in marks)
        assert 1 <= len(marks) <= most + 1


def test_blocks_can_be_grouped_by_one_label(page: Page, house: Any) -> None:
    groups = page.evaluate(DECODED, [f"{house.url}/ui/static/model.js", "cluster"])
    names = ['cluster="<script>alert(1)</script>"', 'cluster="eu"', 'cluster="us"', "meta.json cannot be read"]
    assert groups == names
