"""What the pages hold, what they never hold, and the headers of every answer."""

from __future__ import annotations

import re

import pytest
from ui_site import FakeGateway, Site

from storegate.query.running import RunningQuery

PAGES = ["loaded", "queries", "caches", "plugins", "config", "flags", "status"]
NASTY = '"><script>alert(1)</script>'


def query(**given):
    values = {
        "id": 7, "method": "Series", "tenant": "t", "request_id": "", "matchers": (f'a="{NASTY}"',), "min_time": 0,
        "max_time": 2**62, "began": 0.0, "stage": "postings", "series": 1, "requests": 2, "bytes": 2048,
    }  # fmt: skip
    return RunningQuery(**values | given)


@pytest.mark.parametrize("page", [*PAGES, "blocks"])
def test_every_page_can_be_shown(site: Site, page: str) -> None:
    status, headers, text = site.ask(f"/{page}")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<main" in text


def test_the_root_leads_to_the_map(gateway: FakeGateway) -> None:
    status, headers, _ = Site(gateway, "/thanos").ask("/")
    assert (status, headers["location"]) == (302, "/thanos/loaded")


@pytest.mark.parametrize("path", ["/loaded", "/nothing", "/ui/blocks.json", "/ui/static/blocks.js", "/"])
def test_no_answer_lets_the_browser_run_anything_else(site: Site, path: str) -> None:
    policy = site.ask(path)[1]["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("page", PAGES)
def test_no_page_has_scripts_or_styles_in_it(site: Site, page: str) -> None:
    text = site.ask(f"/{page}")[2]
    assert " style=" not in text
    assert " onclick=" not in text
    assert "<style" not in text
    assert all(">" in part and part.partition(">")[2].startswith("</script>") for part in text.split("<script")[1:])


@pytest.mark.parametrize("page", PAGES)
def test_links_have_the_prefix(gateway: FakeGateway, page: str) -> None:
    text = Site(gateway, "/thanos").ask(f"/{page}")[2]
    links = [part.partition('"')[0] for name in ("href", "src") for part in text.split(f'{name}="')[1:]]
    assert [link for link in links if not link.startswith(("/thanos/", "#"))] == []


def test_an_unknown_page_is_not_found(site: Site) -> None:
    status, _, text = site.ask("/nothing")
    assert (status, "no such page" in text) == (404, True)


def test_matchers_are_text(site: Site, gateway: FakeGateway) -> None:
    gateway.queries = [query()]
    text = site.ask("/queries")[2]
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_label_sets_are_text(site: Site) -> None:
    assert "&lt;b&gt;" in site.ask("/status")[2]


def test_a_query_shows_its_stage_and_what_it_fetched(site: Site, gateway: FakeGateway) -> None:
    gateway.queries = [query()]
    text = site.ask("/queries?part=content")[2]
    assert ("postings" in text, "2.0 KiB" in text, "<html" in text) == (True, True, False)


def test_secrets_are_masked() -> None:
    config = {"bucket": "b", "endpoint": "s3.example.com", "access_key": "id", "secret_key": "hush-hush"}
    text = Site(FakeGateway(object_store={"type": "S3", "config": config})).ask("/config")[2]
    assert ("hush-hush" in text, "REDACTED" in text) == (False, True)


@pytest.mark.parametrize("page", ["loaded", "queries"])
def test_what_changes_something_is_hidden_when_admin_operations_are_off(page: str) -> None:
    shown, hidden = FakeGateway(), FakeGateway(web={"disable_admin_operations": True})
    for gateway in (shown, hidden):
        gateway.queries = [query()]
    assert [("Cancel</button>" in Site(gateway).ask(f"/{page}")[2]) for gateway in (shown, hidden)] == [True, False]


def test_static_files_are_sent_once(site: Site) -> None:
    status, headers, text = site.ask("/ui/static/model.js")
    assert (status, headers["content-type"], bool(text)) == (200, "text/javascript; charset=utf-8", True)
    assert site.ask("/ui/static/model.js", if_none_match=headers["etag"])[::2] == (304, "")


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fapp.py", "../app.py"])
def test_other_files_are_not_there(site: Site, name: str) -> None:
    assert site.ask(f"/ui/static/{name}")[0] == 404


class TestCancelling:
    def test_it_ends_the_query(self, site: Site, gateway: FakeGateway) -> None:
        assert site.ask("/ui/queries/cancel?id=7", "POST", x_storegate_ui="1")[0] == 204
        assert gateway.cancelled == [7]

    def test_it_says_when_the_query_has_ended(self, site: Site) -> None:
        assert site.ask("/ui/queries/cancel?id=8", "POST", x_storegate_ui="1")[0] == 404

    def test_another_site_cannot(self, site: Site, gateway: FakeGateway) -> None:
        assert site.ask("/ui/queries/cancel?id=7", "POST")[0] == 403
        assert gateway.cancelled == []

    def test_not_when_admin_operations_are_off(self) -> None:
        gateway = FakeGateway(web={"disable_admin_operations": True})
        assert Site(gateway).ask("/ui/queries/cancel?id=7", "POST", x_storegate_ui="1")[0] == 403
        assert gateway.cancelled == []

    @pytest.mark.parametrize("number", ["", "x", "-1", "9" * 20, "٣"])
    def test_the_id_must_be_a_number(self, site: Site, number: str) -> None:
        assert site.ask(f"/ui/queries/cancel?id={number}", "POST", x_storegate_ui="1")[0] == 400

    def test_not_by_reading(self, site: Site) -> None:
        assert site.ask("/ui/queries/cancel?id=7", x_storegate_ui="1")[0] == 405


def test_the_plugins_page_shows_what_fills_each_place_and_why(site: Site) -> None:
    text = site.ask("/plugins")[2]
    row = re.search(r"<code>partitioner</code>.*?</tr>", text, re.DOTALL)
    assert row is not None
    assert all(part in row[0] for part in ("gap", "storegate", "default: partitioner is not given"))
