"""Pages of a listing of the Blob service."""

from __future__ import annotations

import pytest

from storegate import ListPage, ObjectInfo
from storegate.http.answers import BodyError
from storegate_azure.listing import parse_page

HEAD = '\ufeff<?xml version="1.0" encoding="utf-8"?>'
PROPERTIES = "<Properties><Last-Modified>Sat, 31 Jan 2026 12:00:00 GMT</Last-Modified>{}</Properties>"
BLOB = f"<Blob><Name>a/index</Name>{PROPERTIES.format('<Content-Length>5000</Content-Length>')}</Blob>"


def document(blobs: str, marker: str = "") -> bytes:
    return (
        f'{HEAD}<EnumerationResults ContainerName="c"><Prefix /><Blobs>{blobs}</Blobs>'
        f"<NextMarker>{marker}</NextMarker></EnumerationResults>"
    ).encode()


def test_an_object_has_size_and_time_in_milliseconds() -> None:
    assert parse_page(document(BLOB)).entries == [ObjectInfo(key="a/index", size=5000, modified=1769860800000)]


def test_objects_and_folders_of_a_page_are_in_key_order() -> None:
    prefixes = "".join(f"<BlobPrefix><Name>{name}</Name></BlobPrefix>" for name in ("b/", "a/", "a&amp;ü/"))
    page = parse_page(document(prefixes + BLOB, "more"))
    assert [entry.key for entry in page.entries] == ["a&ü/", "a/", "a/index", "b/"]
    assert page.token == "more"


def test_an_empty_container_is_one_empty_page() -> None:
    assert parse_page(document("")) == ListPage(entries=[], token=None)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"welcome",
        b"<html></html>",
        document(BLOB)[:-5],
        document("<Blob><Name>a</Name></Blob>"),
        document(BLOB.replace("a/index", "")),
        document(BLOB.replace("5000", "many")),
        document(BLOB.replace("Jan", "Janvier")),
    ],
)
def test_another_answer_is_no_empty_container(answer: bytes) -> None:
    with pytest.raises(BodyError, match="no listing"):
        parse_page(answer)
