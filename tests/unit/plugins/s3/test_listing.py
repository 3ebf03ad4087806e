"""Pages of listings: both versions of the call."""

from __future__ import annotations

from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate import ObjectInfo, UnavailableError
from storegate_s3.listing import list_page, list_query

AMAZON = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def listing(inner: str, namespace: str = AMAZON) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult{namespace}>{inner}</ListBucketResult>'.encode()


def contents(key: str, size: int = 1, modified: str = "2024-01-02T03:04:05.678Z") -> str:
    return f"<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><Size>{size}</Size></Contents>"


def folder(prefix: str) -> str:
    return f"<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>"


def keys(body: bytes, version: str = "v2") -> list[str]:
    return [entry.key for entry in list_page(body, "bucket", version=version).entries]


@pytest.mark.parametrize("version", ["v1", "v2"])
@given(prefix=NAMES, token=NAMES)
def test_prefix_and_token_reach_the_store_unchanged(version: str, prefix: str, token: str) -> None:
    query = parse_qs(list_query(prefix, token, recursive=False, version=version), strict_parsing=True)
    assert query["prefix"] == [prefix]
    assert query["continuation-token" if version == "v2" else "marker"] == [token]
    assert query["delimiter"] == ["/"]


def test_the_versions_differ_in_their_query() -> None:
    assert "list-type=2" in list_query("", None, recursive=True, version="v2")
    assert "list-type" not in list_query("", None, recursive=True, version="v1")


@pytest.mark.parametrize("namespace", [AMAZON, ""])
def test_entries_tell_key_size_and_time(namespace: str) -> None:
    page = list_page(listing(contents("a/b", 12), namespace), "bucket", version="v2")
    assert list(page.entries) == [ObjectInfo(key="a/b", size=12, modified=1_704_164_645_678)]
    assert page.token is None


@given(st.lists(NAMES, max_size=8))
def test_encoded_names_are_read_back(names: list[str]) -> None:
    inner = "<EncodingType>url</EncodingType>" + "".join(contents(quote(f"{name}x")) for name in names)
    assert keys(listing(inner)) == sorted(f"{name}x" for name in names)


@given(st.lists(st.text(st.characters(categories=["L", "N", "P"]), min_size=1), max_size=8))
def test_names_that_are_not_encoded_are_read_as_they_are(names: list[str]) -> None:
    assert keys(listing("".join(contents(f"{escape(name)}x") for name in names))) == sorted(f"{n}x" for n in names)


def test_a_plus_stands_for_a_space_in_encoded_names() -> None:
    assert keys(listing(f"<EncodingType>url</EncodingType>{contents('a+b%2Bc')}")) == ["a b+c"]


def test_objects_and_folders_come_in_key_order() -> None:
    body = listing(contents("a-b") + contents("b") + folder("a/") + folder("c/"))
    page = list_page(body, "bucket", version="v2")
    assert [entry.key for entry in page.entries] == ["a-b", "a/", "b", "c/"]
    assert [entry.size for entry in page.entries] == [1, None, 1, None]


def test_markers_of_folders_are_left_out() -> None:
    assert keys(listing(contents("a/", 0) + contents("a/b") + contents("c/", 5))) == ["a/b"]


def test_the_next_page_of_version_2_is_named_by_the_store() -> None:
    inner = f"<IsTruncated>true</IsTruncated><NextContinuationToken>1/x+=</NextContinuationToken>{contents('a')}"
    assert list_page(listing(inner), "bucket", version="v2").token == "1/x+="


@pytest.mark.parametrize(
    ("inner", "token"),
    [
        (contents("a") + contents("b"), "b"),
        (contents("a") + contents("b/", 0), "b/"),
        (f"<NextMarker>x</NextMarker>{contents('a')}", "x"),
    ],
)
def test_the_next_page_of_version_1_begins_after_the_last_entry(inner: str, token: str) -> None:
    assert list_page(listing(f"<IsTruncated>true</IsTruncated>{inner}"), "bucket", version="v1").token == token


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        listing(contents("a"))[:-20],
        listing(contents("a", modified="yesterday")),
        listing("<Contents><Key>a</Key></Contents>"),
        listing("<IsTruncated>true</IsTruncated>"),
        listing(f"<EncodingType>url</EncodingType>{contents('%ff')}"),
    ],
    ids=["empty", "page of a proxy", "cut off", "no time", "no size", "no token", "no text"],
)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_is_no_listing_is_an_error_that_names_the_bucket(body: bytes, version: str) -> None:
    with pytest.raises(UnavailableError, match="bucket 'm'"):
        list_page(body, "bucket 'm'", version=version)
