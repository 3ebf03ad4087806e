"""The block map as people use it, in a real browser."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from storegate.testing import write_block
from storegate.testing.memory_store import MemoryStore

TOTAL = 42
RULER, HEADER, GUTTER = 28, 26, 68


@pytest.fixture
def map_page(house: Any, visit: Callable[..., Page]) -> Page:
    return visit(f"{house.url}/loaded")


def shown(page: Page, number: int) -> None:
    expect(page.locator("body")).to_have_attribute("data-shown", str(number))


def settled(page: Page) -> None:
    """After the frames that were asked for are drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def zoomed(page: Page, act: Callable[[], Any]) -> tuple[str, str]:
    before = page.inner_text("#range")
    act()
    expect(page.locator("#range")).not_to_have_text(before)
    return before, page.inner_text("#range")


def days(text: str) -> float:
    """How long the time is that the page says to show."""
    parts = re.findall(r"(\d+)([dhms])", text.rpartition("(")[2])
    return sum(int(number) * {"d": 1, "h": 1 / 24, "m": 1 / 1440, "s": 1 / 86400}[unit] for number, unit in parts)


def nasty_bar(page: Page) -> tuple[float, float]:
    """Where the first block of the first group is drawn: from its tenth day on is the next one."""
    box = page.locator("#scroller").bounding_box()
    assert box is not None
    whole = 60 * 1.04
    x = GUTTER + (60 * 0.02 + 5) / whole * (box["width"] - GUTTER)
    return box["x"] + x, box["y"] + RULER + HEADER + 8


def test_all_blocks_are_there_by_state(map_page: Page) -> None:
    shown(map_page, TOTAL)
    chips = map_page.locator("#chips").inner_text().split()
    assert chips == ["loaded", "38", "marked", "1", "filtered", "1", "quarantined", "1", "unreadable", "1"]


def test_the_pointer_is_told_about_a_block(map_page: Page, house: Any) -> None:
    map_page.mouse.move(*nasty_bar(map_page))
    expect(map_page.locator("#tip")).to_contain_text(house.ulids["nasty"])


def test_a_click_shows_details(map_page: Page, house: Any, artefacts: Path) -> None:
    map_page.mouse.click(*nasty_bar(map_page))
    expect(map_page.locator("#panel code.ulid")).to_have_text(house.ulids["nasty"])
    expect(map_page.locator("#panel")).to_contain_text('cluster="<script>alert(1)</script>"')
    expect(map_page.locator("#panel summary")).to_have_text("meta.json")
    map_page.screenshot(path=artefacts / "details.png")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("filtered", "the filter ignore-deletion-mark left it out (marked-for-deletion)"),
        ("marked", "<b>too old</b>"),
        ("quarantined", "tried 1 time"),
        ("unreadable", "not valid JSON"),
        ("overlapping", "Overlaps with 1 block"),
    ],
)
def test_details_say_why(house: Any, visit: Callable[..., Page], name: str, text: str) -> None:
    page = visit(f"{house.url}/loaded?block={house.ulids[name]}")
    expect(page.locator("#panel")).to_contain_text(text)


def test_the_keyboard_goes_from_block_to_block(map_page: Page, house: Any) -> None:
    map_page.focus("#scroller")
    map_page.keyboard.press("ArrowRight")
    expect(map_page.locator("#said")).to_contain_text(house.ulids["nasty"])
    map_page.keyboard.press("ArrowRight")
    expect(map_page.locator("#said")).to_contain_text(house.ulids["quarantined"])
    map_page.keyboard.press("Enter")
    expect(map_page.locator("#panel .tag")).to_have_text("quarantined")
    map_page.keyboard.press("Escape")
    expect(map_page.locator("#panel")).to_be_hidden()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("cluster=eu", 18),
        ("cluster!=eu", 24),
        ("cluster=~e.|us", 37),
        ("quarantined", 1),
        ("ignore-deletion-mark", 1),
        ("cluster=us 2026-10-09T12:00", 3),
        ('"a \\"b\\""', 0),
        ("no such block", 0),
    ],
)
def test_the_search_finds_labels_states_and_times(map_page: Page, words: str, found: int) -> None:
    map_page.fill("#search", words)
    shown(map_page, found)


def test_the_search_finds_a_part_of_a_ulid(map_page: Page, house: Any) -> None:
    map_page.fill("#search", house.ulids["overlapping"][5:].lower())
    shown(map_page, 1)


def test_a_search_that_is_wrong_says_so(map_page: Page) -> None:
    map_page.fill("#search", "cluster=~(")
    expect(map_page.locator("#problem")).to_contain_text("Invalid regular expression")
    map_page.fill("#from", "yesterday")
    expect(map_page.locator("#from")).to_have_attribute("aria-invalid", "true")


def test_times_narrow_the_map(map_page: Page) -> None:
    before = days(map_page.inner_text("#range"))
    map_page.fill("#from", "2026-10-01")
    map_page.fill("#to", "2026-10-03 12:00")
    expect(map_page.locator("#range")).to_contain_text("(2d 12h)")
    assert before > 60


def test_the_address_keeps_the_search(map_page: Page) -> None:
    map_page.fill("#search", "cluster=eu")
    map_page.select_option("#resolution", "300000")
    shown(map_page, 6)
    map_page.reload()
    shown(map_page, 6)


def test_addresses_of_the_reference_work(house: Any, visit: Callable[..., Page]) -> None:
    path = f"/loaded?ulid={house.ulids['overlapping']}&filter-compaction=true&compaction-level=2"
    shown(visit(house.url + path), 1)


def test_states_can_be_left_out(map_page: Page) -> None:
    map_page.click("[data-state=loaded]")
    shown(map_page, 4)
    map_page.click("#clear")
    shown(map_page, TOTAL)


def test_overlaps_are_found(map_page: Page, house: Any, artefacts: Path) -> None:
    expect(map_page.locator("#overlap-count")).to_have_text("1")
    map_page.click("#overlaps")
    shown(map_page, 2)
    map_page.click("#overlap-next")
    expect(map_page.locator("#said")).to_contain_text("Overlap 1 of 1: 2 blocks")
    settled(map_page)
    map_page.screenshot(path=artefacts / "overlaps.png")


@pytest.mark.parametrize("how", ["button", "key", "wheel"])
def test_zooming_in_shows_less_time(map_page: Page, how: str) -> None:
    def act() -> None:
        if how == "button":
            map_page.click("#zoom-in")
        elif how == "key":
            map_page.focus("#scroller")
            map_page.keyboard.press("+")
        else:
            map_page.mouse.move(*nasty_bar(map_page))
            map_page.keyboard.down("Control")
            map_page.mouse.wheel(0, -300)
            map_page.keyboard.up("Control")

    before, after = zoomed(map_page, act)
    assert days(after) < days(before)


def test_fit_shows_everything_again(map_page: Page) -> None:
    before, _ = zoomed(map_page, lambda: map_page.click("#zoom-in"))
    map_page.click("#zoom-fit")
    expect(map_page.locator("#range")).to_have_text(before)


def test_dragging_moves_through_time(map_page: Page) -> None:
    zoomed(map_page, lambda: map_page.click("#zoom-in"))
    x, y = nasty_bar(map_page)

    def drag() -> None:
        map_page.mouse.move(x + 300, y)
        map_page.mouse.down()
        map_page.mouse.move(x + 200, y, steps=4)
        map_page.mouse.up()

    before, after = zoomed(map_page, drag)
    assert abs(days(before) - days(after)) < 0.1
    expect(map_page.locator("#panel")).to_be_hidden()


def test_a_window_can_be_drawn_on_the_overview(map_page: Page) -> None:
    box = map_page.locator("#overview").bounding_box()
    assert box is not None

    def draw() -> None:
        map_page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 10)
        map_page.mouse.down()
        map_page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 10, steps=3)
        map_page.mouse.up()

    _, after = zoomed(map_page, draw)
    assert 5 < days(after) < 8


def test_the_table_has_the_same_blocks(map_page: Page, house: Any, artefacts: Path) -> None:
    map_page.click("#tab-table")
    expect(map_page.locator("#table-body tr")).to_have_count(TOTAL)
    map_page.click("#table-head button:has-text('State')")
    expect(map_page.locator("#table-body tr").first).to_contain_text("filtered")
    map_page.screenshot(path=artefacts / "table.png")
    map_page.click(f"#table-body button:has-text('{house.ulids['marked']}')")
    expect(map_page.locator("#panel .tag")).to_have_text("marked")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_are_those_of_the_system(house: Any, visit: Callable[..., Page], artefacts: Path, scheme: Any):
    page = visit(f"{house.url}/loaded", color_scheme=scheme)
    settled(page)
    page.screenshot(path=artefacts / f"{scheme}.png")
    light = "rgb(245, 247, 249)"
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == light) is (scheme == "light")


def test_the_theme_can_be_chosen_and_stays(map_page: Page) -> None:
    for name in ("Light", "Dark"):
        map_page.click("#theme")
        expect(map_page.locator("#theme-name")).to_have_text(name)
    map_page.reload()
    expect(map_page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize(("width", "height"), [(400, 800), (3840, 2160)])
def test_it_fits_small_and_large_screens(
    house: Any, visit: Callable[..., Page], artefacts: Path, width: int, height: int
) -> None:
    page = visit(f"{house.url}/loaded", width, height)
    settled(page)
    page.screenshot(path=artefacts / f"{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.focus("#scroller")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#panel code.ulid")).to_be_in_viewport()
    page.screenshot(path=artefacts / f"{width}-details.png")


def test_blocks_can_be_watched_while_they_load(starting: Any, visit: Callable[..., Page], artefacts: Path) -> None:
    page = visit(f"{starting.url}/loaded")
    expect(page.locator("[data-state=loading]")).to_have_text("loading 1")
    settled(page)
    page.screenshot(path=artefacts / "loading.png")


def test_an_empty_bucket_says_so(serve: Callable[..., Any], visit: Callable[..., Page], artefacts: Path) -> None:
    page = visit(f"{serve(MemoryStore()).url}/loaded")
    expect(page.locator("#empty")).to_have_text("The bucket holds no blocks yet.")
    page.screenshot(path=artefacts / "empty.png")


def test_ten_thousand_blocks_are_no_burden(house: Any, visit: Callable[..., Page], artefacts: Path) -> None:
    page = visit(f"{house.url}/caches")
    answer = json.loads(page.request.get(f"{house.url}/ui/blocks.json").text())
    columns = {name: index for index, name in enumerate(answer["columns"])}
    pattern = next(row for row in answer["blocks"] if row[columns["ulid"]] == house.ulids["eu-0-0"])
    answer["sets"] = [[["cluster", f"c{number:02}"]] for number in range(40)]
    answer["blocks"] = []
    for number in range(10_000):
        row = list(pattern)
        begin = 1_700_000_000_000 + number // 40 * 7_200_000
        row[columns["ulid"]] = f"01J{number:023}"
        row[columns["min"]], row[columns["max"]], row[columns["set"]] = begin, begin + 7_200_000, number % 40
        answer["blocks"].append(row)
    page.route("**/ui/blocks.json", lambda route: route.fulfill(json=answer))
    started = time.perf_counter()
    page.goto(f"{house.url}/loaded")
    page.wait_for_selector("body[data-loaded='10000']")
    settled(page)
    loaded = time.perf_counter() - started
    page.screenshot(path=artefacts / "10000.png")
    started = time.perf_counter()
    page.focus("#scroller")
    for number in range(20):
        page.keyboard.press("-" if number % 2 else "+")
        settled(page)
    frames = time.perf_counter() - started
    assert (loaded < 10, frames < 10) == (True, True), (loaded, frames)


class TestMarking:
    def test_it_asks_and_then_writes(self, serve: Callable[..., Any], visit: Callable[..., Page], artefacts: Path):
        bucket = MemoryStore()
        ulid = write_block(bucket, [({"__name__": "up"}, [(1000, 1.0)])]).ulid
        page = visit(f"{serve(bucket).url}/loaded?block={ulid}")
        page.click("text=Mark for deletion…")
        expect(page.locator("#dialog")).to_be_visible()
        page.screenshot(path=artefacts / "dialog.png")
        page.click("#dialog-cancel")
        expect(page.locator("#dialog")).to_be_hidden()
        assert not [info.key for info in bucket.list(f"{ulid}/") if "mark" in info.key]
        page.click("text=Mark for deletion…")
        page.fill("#dialog-detail", "no longer needed")
        page.click("#dialog-confirm")
        expect(page.locator("#said")).to_contain_text("The mark was written")
        mark = json.loads(bucket.get(f"{ulid}/deletion-mark.json"))
        assert (mark["id"], mark["details"]) == (ulid, "no longer needed")

    def test_a_failure_is_shown(
        self, serve: Callable[..., Any], visit: Callable[..., Page], complaints: list[str]
    ) -> None:
        bucket = MemoryStore()
        ulid = write_block(bucket, [({"__name__": "up"}, [(1000, 1.0)])]).ulid
        page = visit(f"{serve(bucket).url}/loaded?block={ulid}")
        page.click("text=Mark as no-compact…")
        for info in list(bucket.list(f"{ulid}/", recursive=True)):
            bucket.delete(info.key)
        page.click("#dialog-confirm")
        expect(page.locator("#dialog-error")).to_contain_text(f"the bucket holds no block {ulid}")
        assert "400 (Bad Request)" in complaints.pop()

    def test_it_is_hidden_without_admin_operations(self, serve: Callable[..., Any], visit: Callable[..., Page]) -> None:
        bucket = MemoryStore()
        ulid = write_block(bucket, [({"__name__": "up"}, [(1000, 1.0)])]).ulid
        page = visit(f"{serve(bucket, web={'disable_admin_operations': True}).url}/loaded?block={ulid}")
        expect(page.locator("#panel summary")).to_be_visible()
        assert page.locator("text=Mark for deletion").count() == 0
