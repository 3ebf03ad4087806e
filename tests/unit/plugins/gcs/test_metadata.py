"""What the JSON API tells about objects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from storegate import ListPage, ObjectInfo
from storegate.http.answers import BodyError
from storegate_gcs.metadata import parse_object, parse_page

ITEM = {"name": "a/index", "size": "5000", "updated": "2026-01-31T12:00:00.123Z"}
INFO = ObjectInfo(key="a/index", size=5000, modified=1769860800123)


def document(**parts: Any) -> bytes:
    return json.dumps({"kind": "storage#objects", **parts}).encode()


def test_an_object_has_size_and_time_in_milliseconds() -> None:
    assert parse_object(json.dumps(ITEM).encode()) == INFO


def test_objects_and_folders_of_a_page_are_in_key_order() -> None:
    page = parse_page(document(items=[ITEM, {**ITEM, "name": "c"}], prefixes=["b/", "a/"], nextPageToken="more"))
    assert [entry.key for entry in page.entries] == ["a/", "a/index", "b/", "c"]
    assert page.token == "more"


def test_an_empty_bucket_is_one_empty_page() -> None:
    assert parse_page(document()) == ListPage(entries=[], token=None)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"<html>", b'{"kind": "storage#buckets"}', b'{"error": {}}'])
def test_another_answer_is_no_empty_bucket(text: bytes) -> None:
    with pytest.raises(BodyError):
        parse_page(text)


@pytest.mark.parametrize("missing", ITEM)
def test_an_object_without_one_of_its_parts_is_an_error(missing: str) -> None:
    with pytest.raises(BodyError):
        parse_object(json.dumps({name: value for name, value in ITEM.items() if name != missing}).encode())
