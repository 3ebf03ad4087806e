"""The data of the map."""

from __future__ import annotations

import json

from ui_site import FakeGateway, Site

from storegate.block.status import BlockStatus
from storegate.types import BlockMeta, DeletionMark

ULID = "01BBBBBBBBBBBBBBBBBBBBBBBB"
META = BlockMeta(ulid=ULID, min_time=0, max_time=10, labels={"b": "2", "a": "</script>"}, document={"ulid": ULID})
MARK = DeletionMark(ulid=ULID, deletion_time=3, details="old")


def rows(site):
    answer = json.loads(site.ask("/ui/blocks.json")[2])
    return [dict(zip(answer["columns"], row, strict=True)) for row in answer["blocks"]], answer


def test_a_block_is_a_row_that_refers_to_its_labels(site: Site, gateway: FakeGateway) -> None:
    gateway.statuses = [BlockStatus(ulid=ULID, state="loaded", meta=META, size=9)]
    (row,), answer = rows(site)
    assert (row["ulid"], row["min"], row["max"], row["size"]) == (ULID, 0, 10, 9)
    assert answer["sets"][row["set"]] == [["a", "</script>"], ["b", "2"]]


def test_a_loaded_block_with_a_deletion_mark_is_marked(site: Site, gateway: FakeGateway) -> None:
    gateway.statuses = [BlockStatus(ulid=ULID, state="loaded", meta=META, deletion=MARK)]
    (row,), answer = rows(site)
    assert (answer["states"][row["state"]], row["deletion"]) == ("marked", 3)


def test_a_filtered_block_names_the_filter_and_its_reason(site: Site, gateway: FakeGateway) -> None:
    gateway.statuses = [BlockStatus(ulid=ULID, state="filtered", reason="old (f)", filtered_by="f", meta=META)]
    (row,), answer = rows(site)
    assert (answer["reasons"][row["reason"]], answer["filters"][row["filter"]]) == ("old (f)", "f")


def test_a_block_without_a_meta_has_no_times_and_no_labels(site: Site, gateway: FakeGateway) -> None:
    gateway.statuses = [BlockStatus(ulid=ULID, state="unreadable", reason="bad")]
    (row,), answer = rows(site)
    assert (row["min"], row["max"], answer["sets"][row["set"]]) == (None, None, None)


def test_the_same_blocks_are_not_sent_again(site: Site) -> None:
    tag = site.ask("/ui/blocks.json")[1]["etag"]
    assert site.ask("/ui/blocks.json", if_none_match=tag)[::2] == (304, "")


def test_details_hold_the_meta_and_the_mark(site: Site, gateway: FakeGateway) -> None:
    gateway.statuses = [BlockStatus(ulid=ULID, state="loaded", meta=META, deletion=MARK)]
    found = json.loads(site.ask(f"/ui/blocks/{ULID}.json")[2])
    assert (found["meta"], found["deletion"]) == ({"ulid": ULID}, {"time": 3, "details": "old"})


def test_the_meta_can_be_downloaded(site: Site, gateway: FakeGateway) -> None:
    gateway.statuses = [BlockStatus(ulid=ULID, state="loaded", meta=META)]
    status, headers, text = site.ask(f"/ui/blocks/{ULID}/meta.json")
    assert (status, json.loads(text)) == (200, {"ulid": ULID})
    assert headers["content-disposition"] == f'attachment; filename="{ULID}.meta.json"'


def test_an_unknown_block_is_not_found(site: Site) -> None:
    assert [site.ask(f"/ui/blocks/{path}")[0] for path in (f"{ULID}.json", f"{ULID}/meta.json")] == [404, 404]
