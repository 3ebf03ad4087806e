"""Finding blocks."""

from __future__ import annotations

from typing import Any

import pytest

from storegate import ObjectInfo
from storegate.block.discovery import list_blocks


def test_one_recursive_listing_tells_everything(bucket: Any) -> None:
    ulid = bucket.put_block(1)
    bucket.put_mark(1)
    listing = list_blocks(bucket.store, "recursive")[ulid]
    assert listing.complete
    assert set(listing.objects) == {"meta.json", "index", "chunks/000001", "deletion-mark.json"}
    assert listing.objects["index"] == ObjectInfo(
        key=f"{ulid}/index",
        size=len(bucket.inner.get(f"{ulid}/index")),
        modified=bucket.inner.times[f"{ulid}/index"],
    )
    assert bucket.store.count() == 1


def test_one_listing_of_the_root_tells_names_alone(bucket: Any) -> None:
    ulid = bucket.put_block(1)
    listings = list_blocks(bucket.store, "concurrent")
    assert {name: (listing.complete, dict(listing.objects)) for name, listing in listings.items()} == {
        ulid: (False, {})
    }
    assert bucket.store.count() == 1


@pytest.mark.parametrize("strategy", ["recursive", "concurrent"])
def test_a_folder_without_meta_is_listed_too(bucket: Any, strategy: Any) -> None:
    bucket.put(f"{bucket.ulid(1)}/index", b"x")
    assert set(list_blocks(bucket.store, strategy)) == {bucket.ulid(1)}


@pytest.mark.parametrize("strategy", ["recursive", "concurrent"])
def test_only_folders_named_by_a_ulid_are_blocks(bucket: Any, strategy: Any) -> None:
    ulid = bucket.ulid(1)
    for key in ("debug/metas/x.json", f"{ulid.lower()}/meta.json", f"tenant/{ulid}/meta.json", ulid, "README.txt"):
        bucket.put(key, b"x")
    assert list_blocks(bucket.store, strategy) == {}


@pytest.mark.parametrize("strategy", ["recursive", "concurrent"])
def test_a_name_that_resembles_a_ulid_is_reported_once(bucket: Any, strategy: Any) -> None:
    odd = bucket.ulid(1).lower()
    for path in ("meta.json", "index"):
        bucket.put(f"{odd}/{path}", b"x")
    bucket.put("debug/x", b"x")
    reported: list[str] = []
    list_blocks(bucket.store, strategy, on_odd_name=reported.append)
    assert reported == [odd]


def test_a_meta_deeper_in_the_folder_is_not_the_meta_of_the_block(bucket: Any) -> None:
    bucket.put(f"{bucket.ulid(1)}/copy/meta.json", b"x")
    assert dict(list_blocks(bucket.store, "recursive")[bucket.ulid(1)].objects) == {}
