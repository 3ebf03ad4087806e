"""The caching bucket as an object store: listings, ranges, attributes, writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storegate.cache.bucket import PastCache
from storegate.errors import NotFoundError
from storegate.reads import new_arena

from .conftest import BLOCK, CHUNKS, CONTENT, MARK, META

Make = Callable[..., Any]
INDEX = f"{BLOCK}/index"


def names(listing: Any) -> list[str]:
    return [info.key for info in listing]


# --- listings ---


@pytest.mark.parametrize("recursive", [True, False])
def test_the_root_is_listed_once(make: Make, recursive: bool) -> None:
    made = make()
    first, second = (list(made.bucket.list(recursive=recursive)) for _ in range(2))
    assert first == second == list(made.inner.list(recursive=recursive))
    assert made.asked() == ["list"]


def test_the_two_kinds_of_listing_are_kept_apart(make: Make) -> None:
    made = make()
    assert names(made.bucket.list()) == [f"{BLOCK}/"]
    assert names(made.bucket.list(recursive=True)) == [CHUNKS, META]


def test_listings_below_the_root_pass(make: Make) -> None:
    made = make()
    for _ in range(2):
        assert names(made.bucket.list(f"{BLOCK}/chunks/")) == [CHUNKS]
    assert made.asked() == ["list", "list"]


def test_a_listing_that_is_not_read_to_its_end_is_not_kept(make: Make) -> None:
    made = make()
    next(made.bucket.list(recursive=True))
    assert made.cache.values == {}


def test_a_listing_lives_for_its_time_from_its_start(make: Make) -> None:
    made = make(blocks_iter_ttl=300.0)
    for _ in made.bucket.list(recursive=True):
        made.clock.now += 10
    assert list(made.cache.lifetimes.values()) == [280.0]


def test_a_damaged_listing_is_read_anew(make: Make) -> None:
    made = make()
    list(made.bucket.list())
    made.cache.values = {key: value[:-1] for key, value in made.cache.values.items()}
    assert names(made.bucket.list()) == [f"{BLOCK}/"]
    assert made.asked() == ["list", "list"]


@pytest.mark.parametrize("change", ["put", "delete"])
def test_a_write_outdates_listings(make: Make, change: str) -> None:
    made = make()
    list(made.bucket.list(recursive=True))
    made.bucket.put(INDEX, b"x") if change == "put" else made.bucket.delete(META)
    assert names(made.bucket.list(recursive=True)) == names(made.inner.list(recursive=True))


def test_listings_are_counted(make: Make) -> None:
    made = make()
    for recursive in (True, True, False):
        list(made.bucket.list(recursive=recursive))
    of = {"operation": "iter", "config": "blocks-iter"}
    assert (made.sample("operation_requests", **of), made.sample("operation_hits", **of)) == (3, 1)


# --- ranges of chunk files ---


def test_a_range_is_read_in_whole_subranges(make: Make) -> None:
    made = make()
    assert made.bucket.get_range(CHUNKS, 13, 14) == CONTENT[13:27]
    assert made.ranges() == [(10, 30)]


def test_a_range_that_was_read_is_not_read_again(make: Make) -> None:
    made = make()
    made.bucket.get_range(CHUNKS, 13, 14)
    made.asked()
    assert made.bucket.get_range(CHUNKS, 10, 20) == CONTENT[10:30]
    assert made.asked() == []


def test_only_missing_subranges_are_read(make: Make) -> None:
    made = make()
    made.bucket.get_range(CHUNKS, 20, 10)
    made.asked()
    assert made.bucket.get_range(CHUNKS, 0, 60) == CONTENT[:60]
    assert made.ranges() == [(0, 20), (30, 60)]


def test_a_range_takes_no_more_requests_than_allowed(make: Make) -> None:
    made = make(max_chunks_get_range_requests=1)
    made.bucket.get_range(CHUNKS, 20, 10)
    made.asked()
    assert made.bucket.get_range(CHUNKS, 0, 60) == CONTENT[:60]
    assert made.ranges() == [(0, 60)]


def test_the_last_subrange_is_as_long_as_the_object(make: Make) -> None:
    made = make()
    assert made.bucket.get_range(CHUNKS, 98, 50) == CONTENT[98:]
    assert made.ranges() == [(90, 105)]


def test_a_range_behind_the_end_is_empty(make: Make) -> None:
    made = make()
    assert made.bucket.get_range(CHUNKS, 105, 10) == b""
    assert made.asked() == ["head"]


@pytest.mark.parametrize(("offset", "length"), [(-1, 5), (0, 0), (5, -1)])
def test_odd_ranges_go_to_the_store(make: Make, offset: int, length: int) -> None:
    made = make()
    assert made.bucket.get_range(CHUNKS, offset, length) == CONTENT[offset : offset + length]
    assert made.asked() == ["get_range"]


def test_ranges_of_other_objects_pass(make: Make) -> None:
    made = make({INDEX: CONTENT})
    assert [made.bucket.get_range(INDEX, 5, 5) for _ in range(2)] == [CONTENT[5:10]] * 2
    assert (made.asked(), made.cache.values) == (["get_range", "get_range"], {})


@pytest.mark.parametrize("key", [CHUNKS, INDEX])
def test_a_buffer_is_filled(make: Make, key: str) -> None:
    made = make({CHUNKS: CONTENT, INDEX: CONTENT})
    buffer = new_arena(20)
    assert made.bucket.read_into(key, 95, buffer) == 10
    assert bytes(buffer[:10]) == CONTENT[95:]


def test_a_range_of_an_absent_object_is_not_found(make: Make) -> None:
    made = make()
    with pytest.raises(NotFoundError, match="000002"):
        made.bucket.get_range(f"{BLOCK}/chunks/000002", 0, 5)


def test_subranges_live_for_their_time(make: Make) -> None:
    made = make(chunk_subrange_ttl=50.0)
    made.bucket.get_range(CHUNKS, 0, 10)
    assert {ttl for key, ttl in made.cache.lifetimes.items() if key.startswith("subrange:")} == {50.0}


def test_bytes_are_counted_by_where_they_came_from(make: Make) -> None:
    made = make(max_chunks_get_range_requests=1)
    made.bucket.get_range(CHUNKS, 20, 10)
    made.bucket.get_range(CHUNKS, 0, 50)
    of = {"config": "chunks"}
    assert made.sample("getrange_requested_bytes", **of) == 60
    assert made.sample("getrange_fetched_bytes", origin="bucket", **of) == 50
    assert made.sample("getrange_fetched_bytes", origin="cache", **of) == 10
    assert made.sample("getrange_refetched_bytes", origin="cache", **of) == 10
    assert made.sample("operation_requests", operation="get_range", **of) == 2
    assert made.sample("operation_hits", operation="get_range", **of) == pytest.approx(0.2)


# --- attributes of chunk files ---


def test_attributes_are_asked_once(make: Make) -> None:
    made = make()
    assert [made.bucket.head(CHUNKS).size for _ in range(2)] == [105, 105]
    assert made.asked() == ["head"]


def test_attributes_serve_other_processes(make: Make) -> None:
    made = make()
    made.bucket.get_range(CHUNKS, 0, 10)
    other = made.again()
    assert other.bucket.get_range(CHUNKS, 0, 10) == CONTENT[:10]
    assert other.asked() == []


def test_a_listing_saves_the_question_about_attributes(make: Make) -> None:
    made = make()
    list(made.bucket.list(recursive=True))
    made.asked()
    made.bucket.get_range(CHUNKS, 0, 10)
    assert made.asked() == ["get_range"]


def test_attributes_of_other_objects_pass(make: Make) -> None:
    made = make({INDEX: CONTENT})
    assert [made.bucket.head(INDEX).size for _ in range(2)] == [105, 105]
    assert made.asked() == ["head", "head"]


def test_attributes_that_are_too_small_are_asked_again_before_a_read_is_cut(make: Make) -> None:
    made = make()
    made.bucket.head(CHUNKS)
    smaller = make({CHUNKS: CONTENT[:40]})
    smaller.bucket.head(CHUNKS)
    other = made.again()
    other.cache.values = dict(smaller.cache.values)
    assert other.bucket.get_range(CHUNKS, 30, 20) == CONTENT[30:50]


def test_attributes_that_are_too_large_do_no_harm(make: Make) -> None:
    larger = make({CHUNKS: CONTENT + CONTENT})
    larger.bucket.head(CHUNKS)
    made = make()
    made.cache.values = dict(larger.cache.values)
    assert made.bucket.get_range(CHUNKS, 90, 60) == CONTENT[90:]
    assert made.bucket.get_range(CHUNKS, 90, 60) == CONTENT[90:]
    assert made.again().bucket.get_range(CHUNKS, 100, 5) == CONTENT[100:]


def test_parts_of_an_earlier_object_are_not_found_once_its_size_or_time_is_known(make: Make) -> None:
    made = make()
    list(made.bucket.list(recursive=True))
    made.bucket.get_range(CHUNKS, 0, 20)
    made.inner.put(CHUNKS, CONTENT[::-1])
    made.inner._objects[CHUNKS] = (CONTENT[::-1], 5)  # another time, even if the test takes no millisecond
    list(made.bucket.list(f"{BLOCK}/chunks/"))
    assert made.bucket.get_range(CHUNKS, 0, 20) == CONTENT[::-1][:20]


def test_a_chunk_file_that_this_process_replaced_is_read_anew(make: Make) -> None:
    made = make()
    made.bucket.get_range(CHUNKS, 0, 20)
    made.bucket.put(CHUNKS, b"x" * 33)
    assert made.bucket.get_range(CHUNKS, 20, 20) == b"x" * 13


def test_questions_about_attributes_are_counted(make: Make) -> None:
    made = make()
    for _ in range(3):
        made.bucket.head(CHUNKS)
    of = {"operation": "attributes", "config": "chunks"}
    assert (made.sample("operation_requests", **of), made.sample("operation_hits", **of)) == (3, 2)


@pytest.mark.parametrize("setting", ["chunk_object_attrs_ttl", "chunk_subrange_ttl"])
def test_a_lifetime_of_0_keeps_nothing(make: Make, setting: str) -> None:
    made = make(**{setting: 0})
    assert [made.bucket.get_range(CHUNKS, 0, 10) for _ in range(2)] == [CONTENT[:10]] * 2
    kind = "attrs:" if setting == "chunk_object_attrs_ttl" else "subrange:"
    assert not [key for key in made.cache.values if key.startswith(kind)]


# --- the rest ---


def test_it_has_the_name_of_its_store_and_closes_it_and_the_cache(make: Make) -> None:
    made = make()
    made.bucket.close()
    assert (made.bucket.name, made.bucket.writable) == (made.inner.name, True)
    assert (made.inner.closed, made.cache.closed) == (True, True)


def test_past_the_cache_lies_what_the_bucket_holds_now(make: Make) -> None:
    made = make({})
    with pytest.raises(NotFoundError):
        made.bucket.head(MARK)
    made.inner.put(MARK, b"{}")
    assert PastCache(made.bucket, made.store).head(MARK).size == 2


@pytest.mark.parametrize("change", ["put", "delete"])
def test_writes_past_the_cache_outdate_what_it_remembers(make: Make, change: str) -> None:
    made = make({MARK: b"[]"})
    made.bucket.get(MARK)
    past = PastCache(made.bucket, made.store)
    if change == "put":
        past.put(MARK, b"{}")
        assert made.bucket.get(MARK) == b"{}"
    else:
        past.delete(MARK)
        with pytest.raises(NotFoundError):
            made.bucket.get(MARK)
