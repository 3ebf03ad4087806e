"""A gateway over a bucket that has every kind of block, and Debian's Chromium to look at it."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright
from pydantic import BaseModel

from storegate.config.settings import Settings
from storegate.errors import CancelledError
from storegate.gateway import Gateway
from storegate.manager import PluginManager
from storegate.query.call import Call
from storegate.query.request import LabelMatcher, SeriesRequest
from storegate.testing import write_block
from storegate.testing.faults import HoldingStore
from storegate.testing.memory_store import MemoryStore

HOUR = 3_600_000
DAY = 24 * HOUR
T0 = 1_790_000_000_000 // DAY * DAY  # ms
NASTY = {"cluster": "<script>alert(1)</script>", "team": 'a "b" & c'}
EU, US = {"cluster": "eu"}, {"cluster": "us"}
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=15_000)


class NoConfig(BaseModel):
    """Of a bucket in memory."""


class PluginsOverStore:
    """The real plugins, but the bucket is the test's own."""

    def __init__(self, store: Any) -> None:
        self._real = PluginManager.load()
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get(self, kind: str, name: str, **where: str) -> Any:
        if kind == "object_store":
            origin = SimpleNamespace(distribution="storegate-tests", version="1.0", origin="storegate-tests 1.0")
            return SimpleNamespace(name=name, provider=SimpleNamespace(name=name, config=NoConfig), source=origin)
        return self._real.get(kind, name, **where)

    def create(self, kind: str, ref: Any, context: Any = None, *, where: str = "") -> Any:
        return self._store if kind == "object_store" else self._real.create(kind, ref, context, where=where)


@dataclass
class House:
    """A running gateway, its bucket, and the ULIDs of blocks by what is special about them."""

    gateway: Gateway
    bucket: MemoryStore
    store: HoldingStore
    ulids: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{self.gateway.addresses['http']}"

    def query(self) -> tuple[threading.Thread, list[BaseException]]:
        """A query on a thread of its own, and what it failed with."""
        errors: list[BaseException] = []

        def run() -> None:
            request = SeriesRequest(min_time=T0, max_time=T0 + 90 * DAY, matchers=(LabelMatcher(0, "__name__", "up"),))
            try:
                with closing(self.gateway.series(request, Call(tenant="team-a"))) as stream:
                    list(stream)
            except CancelledError as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread, errors


def build(bucket: MemoryStore, held: str = "*/chunks/*", **settings: Any) -> House:
    """A gateway that is not started yet; `held` are the objects whose reading waits to be released."""
    store = HoldingStore(bucket, operation="get*", key=held)
    plugins: Any = PluginsOverStore(store)
    http = {"type": "http", "config": {"address": "127.0.0.1:0", "grace_period": 0.1}}
    given = {
        "object_store": {"type": "TEST"},
        "cache_index_header": False,
        "frontends": [http, {"type": "ui", "config": {"refresh": 0}}],
    }
    return House(Gateway(Settings.model_validate(given | settings), plugins), bucket, store)


def up(start: int, series: int = 3) -> Any:
    return [({"__name__": "up", "job": f"{i}"}, [(start, 1.0), (start + 60_000, 2.0)]) for i in range(series)]


def fill(bucket: MemoryStore) -> dict[str, str]:
    """Sixty days in two clusters and three resolutions, one overlap, and a block of each odd kind."""
    ulids = {}

    def block(name: str, labels: dict[str, str], day: int, days: int = 10, **more: Any) -> str:
        begin = T0 + day * DAY
        options = {"created": begin + days * DAY + HOUR, "seed": name, "source": "compactor", "level": 3}
        written = write_block(
            bucket, up(begin), external_labels=labels, min_time=begin, max_time=begin + days * DAY, **options | more
        )
        ulids[name] = written.ulid
        return written.ulid

    for labels in (EU, US):
        for resolution in (0, 300_000, 3_600_000):
            for day in range(0, 60, 10):
                block(f"{labels['cluster']}-{resolution}-{day}", labels, day, resolution=resolution)
    block("overlapping", US, 22, 2, level=2)
    block("nasty", NASTY, 0)
    bucket.put(f"{block('quarantined', NASTY, 10)}/index", b"no index" * 50)
    bucket.put(f"{block('unreadable', NASTY, 20)}/meta.json", b"{")
    for name, age in (("marked", 60), ("filtered", 90 * 3600)):
        ulid = block(name, NASTY, 30 if name == "marked" else 40)
        mark = {"id": ulid, "version": 1, "deletion_time": int(time.time()) - age, "details": "<b>too old</b>"}
        bucket.put(f"{ulid}/deletion-mark.json", json.dumps(mark).encode())
    return ulids


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    bucket = MemoryStore()
    ulids = fill(bucket)
    made = build(bucket)
    made.ulids = ulids
    made.gateway.start()
    yield made
    made.store.release()
    made.gateway.stop(0.0)


@pytest.fixture
def serve() -> Iterator[Callable[..., House]]:
    """Further gateways, each over a bucket and with settings of its own."""
    made: list[House] = []

    def serve_bucket(bucket: MemoryStore, **settings: Any) -> House:
        made.append(build(bucket, **settings))
        made[-1].gateway.start()
        return made[-1]

    yield serve_bucket
    for one in made:
        one.store.release()
        one.gateway.stop(0.0)


@pytest.fixture
def starting() -> Iterator[House]:
    """A gateway whose only block is being loaded, until its store is released."""
    bucket = MemoryStore()
    write_block(bucket, up(T0), external_labels=EU)
    one = build(bucket, "*/index")
    thread = threading.Thread(target=one.gateway.start)
    thread.start()
    assert one.store.reached.wait(30)
    yield one
    one.store.release()
    thread.join(30)
    one.gateway.stop(0.0)


@pytest.fixture(scope="session")
def chromium_program() -> str:
    found = shutil.which("chromium")
    assert found, "chromium is not installed: apt-get install chromium"
    return found


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium_program: str) -> Iterator[Browser]:
    opened = playwright.chromium.launch(executable_path=chromium_program, args=CHROMIUM_FLAGS)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: `STOREGATE_ARTEFACTS`, else a folder of this run."""
    given = os.environ.get("STOREGATE_ARTEFACTS")
    folder = Path(given) / "ui" if given else tmp_path_factory.mktemp("ui")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console had to say."""
    return []


@pytest.fixture
def visit(browser: Browser, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """`visit(url, width=, height=, **of the browser's context)`; complaints that are left fail the test."""
    contexts = []

    def go(url: str, width: int = 1280, height: int = 800, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.goto(url)
        if "/loaded" in url:
            page.wait_for_selector("body[data-loaded]")
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []
