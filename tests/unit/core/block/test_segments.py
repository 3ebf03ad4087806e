"""Finding the chunk segments of a block."""

from __future__ import annotations

from typing import Any

import pytest

from storegate import BlockMeta, CorruptError
from storegate.block.discovery import BlockListing, list_blocks
from storegate.block.segments import Segments, find_segments


def names(segments: Segments) -> list[str]:
    return [key.partition("/chunks/")[2] for key in segments.keys]


@pytest.fixture
def listing(bucket: Any) -> BlockListing:
    """A block with three segments of 1, 2 and 3 bytes, and something else."""
    for number, name in enumerate(("000001", "000002", "1000000"), 1):
        bucket.put(f"{bucket.ulid(1)}/chunks/{name}", b"x" * number)
    bucket.put(f"{bucket.ulid(1)}/chunks/notes", b"x")
    return list_blocks(bucket.store, "recursive")[bucket.ulid(1)]


@pytest.fixture
def find(bucket: Any) -> Any:
    def _find(listing: BlockListing, **fields: Any) -> Segments:
        meta = BlockMeta(ulid=bucket.ulid(1), min_time=0, max_time=1, **fields)
        bucket.store.reset()
        return find_segments(bucket.store, meta, listing)

    return _find


def test_segment_files_come_first_and_keep_their_order(bucket: Any, listing: BlockListing, find: Any) -> None:
    segments = find(listing, segment_files=("000002", "000001"))
    assert segments == Segments((f"{bucket.ulid(1)}/chunks/000002", f"{bucket.ulid(1)}/chunks/000001"), (2, 1))


def test_files_come_next_sorted_by_number(bucket: Any, find: Any) -> None:
    files = {"chunks/1000000": 30, "index": 5, "chunks/000009": 10, "chunks/x": 1}
    segments = find(BlockListing(), files=files)
    assert (names(segments), segments.sizes) == (["000009", "1000000"], (10, 30))
    assert bucket.store.count() == 0


def test_a_complete_listing_comes_next_without_a_request(bucket: Any, listing: BlockListing, find: Any) -> None:
    segments = find(listing)
    assert (names(segments), segments.sizes) == (["000001", "000002", "1000000"], (1, 2, 3))
    assert bucket.store.count() == 0


def test_without_any_of_them_the_folder_is_listed(bucket: Any, listing: BlockListing, find: Any) -> None:
    segments = find(BlockListing())
    assert (names(segments), segments.sizes) == (["000001", "000002", "1000000"], (1, 2, 3))
    assert [(request.operation, request.key) for request in bucket.store.requests()] == [
        ("list", f"{bucket.ulid(1)}/chunks/")
    ]


def test_the_listing_knows_sizes_better_than_meta(listing: BlockListing, find: Any) -> None:
    assert find(listing, segment_files=("000001",), files={"chunks/000001": 99}).sizes == (1,)


def test_a_size_that_nobody_knows_is_none(find: Any) -> None:
    assert find(BlockListing(), segment_files=("000001",)).sizes == (None,)


def test_a_block_may_have_no_segments(bucket: Any, find: Any) -> None:
    assert find(BlockListing(complete=True)) == Segments((), ())


@pytest.mark.parametrize("name", ["../x", "a", "", "0001/2", "\u0661", "000001\n"])
def test_a_name_that_is_no_number_is_corrupt(find: Any, name: str) -> None:
    with pytest.raises(CorruptError, match="segment_files"):
        find(BlockListing(), segment_files=("000001", name))


def test_a_repeated_name_is_corrupt(find: Any) -> None:
    with pytest.raises(CorruptError, match="repeated"):
        find(BlockListing(), segment_files=("000001", "000001"))
