"""Marks that an operator asks for."""

from __future__ import annotations

import json

import pytest

from storegate.block.marking import DELETION, MAX_DETAILS, NO_COMPACTION, mark_block
from storegate.block.marks import parse_deletion_mark
from storegate.errors import InvalidRequestError, UnavailableError
from storegate.testing.faults import FaultyStore


def stored(bucket, key: str) -> dict[str, object]:
    return json.loads(bucket.inner.get(key))


def test_a_deletion_mark_holds_the_time_in_seconds(bucket) -> None:
    ulid = bucket.put_meta(1)
    assert mark_block(bucket.store, ulid, DELETION, "too old", now=lambda: 12.7)
    expected = {"id": ulid, "version": 1, "details": "too old", "deletion_time": 12}
    assert stored(bucket, f"{ulid}/deletion-mark.json") == expected


def test_a_no_compaction_mark_has_a_reason(bucket) -> None:
    ulid = bucket.put_meta(1)
    assert mark_block(bucket.store, ulid, NO_COMPACTION, now=lambda: 12.7)
    expected = {"id": ulid, "version": 1, "no_compact_time": 12, "reason": "manual"}
    assert stored(bucket, f"{ulid}/no-compact-mark.json") == expected


def test_the_gateway_itself_can_read_its_deletion_mark(bucket) -> None:
    ulid = bucket.put_meta(1)
    mark_block(bucket.store, ulid, DELETION, "why\nnot", now=lambda: 12)
    mark = parse_deletion_mark(bucket.inner.get(f"{ulid}/deletion-mark.json"), ulid)
    assert (mark.deletion_time, mark.details) == (12_000, "why\nnot")


def test_a_mark_that_is_there_stays_as_it_is(bucket) -> None:
    ulid = bucket.put_meta(1)
    bucket.put_mark(1, deletion_time=5)
    assert not mark_block(bucket.store, ulid, DELETION, now=lambda: 12)
    assert stored(bucket, f"{ulid}/deletion-mark.json")["deletion_time"] == 5


def test_the_ulid_may_be_in_lower_case(bucket) -> None:
    ulid = bucket.put_meta(1)
    assert mark_block(bucket.store, ulid.lower(), DELETION)
    assert stored(bucket, f"{ulid}/deletion-mark.json")["id"] == ulid


def test_a_block_that_the_bucket_has_nothing_of_is_not_marked(bucket) -> None:
    ulid = bucket.ulid(1)
    with pytest.raises(InvalidRequestError, match=f"holds no block {ulid}"):
        mark_block(bucket.store, ulid, DELETION)
    assert list(bucket.inner.list()) == []


def test_a_block_without_a_meta_can_be_marked(bucket) -> None:
    bucket.put(f"{bucket.ulid(1)}/index", b"x")
    assert mark_block(bucket.store, bucket.ulid(1), DELETION)


@pytest.mark.parametrize(
    ("ulid", "action", "text"),
    [
        ("", DELETION, "^ID cannot be empty$"),
        ("x", "", "^Action cannot be empty$"),
        ("../../etc/passwd", DELETION, '^ULID "../../etc/passwd" is not valid: '),
        ("01M3250V00000000000000000U", DELETION, "is not valid"),
        ("81M3250V000000000000000001", DELETION, "is not valid"),
        ("01M3250V000000000000000001", "NO_DOWNSAMPLING", "^not supported marker NO_DOWNSAMPLING$"),
        ("01M3250V000000000000000001", "deletion", "^not supported marker deletion$"),
    ],
)
def test_a_wrong_request_is_refused_before_the_bucket_is_touched(bucket, ulid: str, action: str, text: str) -> None:
    with pytest.raises(InvalidRequestError, match=text):
        mark_block(bucket.store, ulid, action)
    assert bucket.store.count() == 0


def test_details_have_an_end(bucket) -> None:
    with pytest.raises(InvalidRequestError, match="4097 characters"):
        mark_block(bucket.store, bucket.put_meta(1), DELETION, "x" * (MAX_DETAILS + 1))


def test_a_store_that_is_only_read_says_so(bucket) -> None:
    ulid = bucket.put_meta(1)
    bucket.inner.writable = False
    with pytest.raises(InvalidRequestError, match="memory cannot be written to"):
        mark_block(FaultyStore(bucket.inner), ulid, DELETION)


def test_what_the_store_raises_comes_through(bucket) -> None:
    ulid = bucket.put_meta(1)
    bucket.fail("*", UnavailableError("the bucket is away"), "put")
    with pytest.raises(UnavailableError, match="is away"):
        mark_block(bucket.store, ulid, DELETION)
