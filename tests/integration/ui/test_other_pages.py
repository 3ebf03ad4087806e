"""The pages beside the map, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from storegate.testing import write_block
from storegate.testing.memory_store import MemoryStore

PAGES = {
    "queries": "No query is running.",
    "caches": "index-cache",
    "plugins": "FILESYSTEM",
    "config": "max_item_size",
    "flags": "--block-sync-concurrency",
    "status": "compiled kernels",
}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_loads(house: Any, visit: Callable[..., Page], artefacts: Path, name: str) -> None:
    page = visit(f"{house.url}/{name}")
    expect(page.locator("main")).to_contain_text(PAGES[name])
    page.screenshot(path=artefacts / f"{name}.png", full_page=True)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_a_phone(house: Any, visit: Callable[..., Page], name: str) -> None:
    page = visit(f"{house.url}/{name}", 400, 800)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_flags_can_be_filtered(house: Any, visit: Callable[..., Page]) -> None:
    page = visit(f"{house.url}/flags")
    page.fill("[data-filter]", "sync-concurrency")
    expect(page.locator("#flags tbody tr:visible")).to_have_count(1)


def test_the_menu_leads_everywhere(house: Any, visit: Callable[..., Page]) -> None:
    page = visit(f"{house.url}/loaded")
    for title in ("Queries", "Status", "Blocks"):
        page.click(f"nav >> text={title}")
        expect(page.locator("nav [aria-current]")).to_have_text(title)


def test_links_work_behind_a_proxy_with_a_prefix(serve: Callable[..., Any], visit: Callable[..., Page]) -> None:
    bucket = MemoryStore()
    ulid = write_block(bucket, [({"__name__": "up"}, [(1000, 1.0)])]).ulid
    gateway = serve(bucket, web={"external_prefix": "/a/store"})
    page = visit(f"{gateway.url}/flags?part=content")  # a page without links
    page.route(
        "**/a/store/**",
        lambda route: route.fulfill(response=route.fetch(url=route.request.url.replace("/a/store", "", 1))),
    )
    page.goto(f"{gateway.url}/a/store/loaded?block={ulid}")
    expect(page.locator("#panel summary")).to_be_visible()
    page.click("nav >> text=Flags")
    expect(page).to_have_url(f"{gateway.url}/a/store/flags")
    page.unroute_all(behavior="wait")


def test_the_command_serves_the_pages_without_being_asked(start_store: Any, tmp_path: Path) -> None:
    with start_store(tmp_path) as store:
        assert [store.get(path)[0] for path in ("/", "/loaded", "/ui/static/blocks.js")] == [302, 200, 200]


def test_the_pages_can_be_switched_off(start_store: Any, tmp_path: Path) -> None:
    with start_store(tmp_path, ["--web.disable"]) as store:
        assert [store.get(path)[0] for path in ("/loaded", "/-/ready")] == [404, 200]


class TestRunningQueries:
    @pytest.fixture
    def held(self, house: Any) -> Any:
        """A query that waits for its chunks until it is cancelled."""
        thread, errors = house.query()
        assert house.store.reached.wait(30)
        yield thread, errors
        house.store.release()
        thread.join(30)

    def test_one_can_be_watched_and_cancelled(
        self, house: Any, held: Any, visit: Callable[..., Page], artefacts: Path
    ) -> None:
        page = visit(f"{house.url}/queries")
        expect(page.locator("#live")).to_contain_text("team-a")
        expect(page.locator("#live code")).to_contain_text("up")
        page.screenshot(path=artefacts / "running.png")
        page.click("[data-cancel]")
        expect(page.locator("[data-cancel]")).to_have_text("Really cancel?")
        assert held[0].is_alive()
        page.click("[data-cancel]")
        expect(page.locator("#said")).to_contain_text("was cancelled")
        house.store.release()
        held[0].join(30)
        assert [type(error).__name__ for error in held[1]] == ["CancelledError"]
        expect(page.locator("#live")).to_contain_text("No query is running.")
