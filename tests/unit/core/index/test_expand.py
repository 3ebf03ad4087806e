"""Postings from cache or bucket: what is read, kept, charged and counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from storegate.errors import CorruptError, LimitError, UnavailableError
from storegate.index import lists
from storegate.index.expand import digest_of, refs_in_range
from storegate.index.matchers import Matcher
from storegate.query.request import LabelMatcher
from storegate.testing.faults import CountingStore, Fault, FaultyStore, shorten

SERIES = [{"i": f"{i:02}", "job": "abc"[i % 3], "x": "y"} for i in range(30)]


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def index(request, make_index):
    return make_index(SERIES, version=request.param)


@pytest.fixture
def large(monkeypatch):
    """Lets every index count as large: lists are read one by one."""
    monkeypatch.setattr(lists, "SMALL_INDEX", 0)


def test_a_small_index_is_read_whole(index):
    assert index.numbers("job=a") == list(range(0, 30, 3))
    (request,) = index.store.requests()
    assert request.length == index.header.postings_range[1] - index.header.series[0]


@pytest.mark.usefixtures("large")
def test_lists_near_one_another_are_read_together(index):
    assert index.numbers("job=~a|b") == [i for i in range(30) if i % 3 < 2]
    assert index.store.count() == 1


@pytest.mark.usefixtures("large")
def test_lists_far_from_one_another_are_read_apart(index):
    index.gap = 0
    access = index.access()
    with ThreadPoolExecutor(2) as pool:
        assert index.numbers("i=~0[05]", "job!=c", access=access, executor=pool) == [0]
    assert index.store.count() == 3
    assert access.stats.postings_fetch_count == 3


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    ("text", "count"), [("i=~.+", 30), ("i!~0.*", 20), ("i!=", 30), ("job!~x.*y", 30), ("i=~[0-2]9", 3), ("job!=a", 20)]
)
def test_lists_of_many_values_are_read_in_whatever_order_they_lie(index, text, count):
    assert len(index.numbers(text)) == count


def test_expanded_postings_are_found_again_without_a_read(index):
    first = index.numbers("job=a", "x=y")
    index.store.reset()
    access = index.access()
    assert index.numbers("x=y", "job=a", access=access) == first
    assert index.store.count() == 0
    assert access.stats.postings_touched == 1


def test_lists_are_found_again_without_a_read(index):
    index.enabled = ("Postings",)
    index.numbers("job=~a|b")
    index.store.reset()
    access = index.access()
    assert index.numbers("job=a", access=access) == list(range(0, 30, 3))
    assert index.store.count() == 0
    assert (access.stats.postings_touched, access.stats.postings_fetched) == (1, 0)


@pytest.mark.usefixtures("large")
def test_only_the_lists_that_are_missing_are_read(index):
    index.enabled = ("Postings",)
    index.numbers("job=a")
    index.store.reset()
    access = index.access()
    assert index.numbers("job=~a|b", access=access) == [i for i in range(30) if i % 3 < 2]
    assert (access.stats.postings_to_fetch, access.stats.postings_touched) == (1, 2)


def test_an_empty_result_is_kept_too(index):
    assert index.numbers("job=nope") == []
    assert [key.split(":")[0] for key in index.cache.items] == ["EP"]


def test_nothing_is_kept_of_items_that_are_not_enabled(index):
    index.enabled = ("Series",)
    index.numbers("job=a")
    assert {key.split(":")[0] for key in index.cache.items} == {"S"}


def test_damaged_cache_values_are_misses(index):
    first = index.numbers("job=a")
    index.cache.items = {key: value[:-1] + b"!" for key, value in index.cache.items.items()}
    assert index.numbers("job=a") == first


def test_many_lists_are_not_kept_one_by_one(index, monkeypatch):
    monkeypatch.setattr(lists, "MAX_CACHED_LISTS", 10)
    index.numbers("i=~.+")
    assert {key.split(":")[0] for key in index.cache.items} == {"EP", "S"}


def test_bytes_are_charged_before_they_are_read(index):
    def refuse(size, what):
        raise LimitError(f"{what} {size}", limit="bytes", allowed=1, reached=size)

    access = index.access()
    access.charge = refuse
    with pytest.raises(LimitError, match=f"fetching postings {12 - 4 + 4 * 10}"):
        index.numbers("job=a", access=access)
    assert index.store.count() == 0


@pytest.mark.parametrize(
    ("enabled", "what"),
    [(("Postings",), "loading postings from index cache"), ((), "loading expanded postings from index cache")],
)
def test_bytes_from_the_cache_are_charged(index, enabled, what):
    index.enabled = enabled
    index.numbers("job=a")
    index.charges.clear()
    index.numbers("job=a")
    assert index.charges == [(12 + 4 * 10, what)]


def test_an_error_of_the_store_is_passed_on(index):
    index.store = CountingStore(FaultyStore(index.inner, Fault(error=UnavailableError("away"))))
    with pytest.raises(UnavailableError, match="away"):
        index.numbers("job=a")


def test_an_index_that_ends_too_soon_is_corrupt_and_nothing_of_it_is_kept(index):
    index.store = CountingStore(FaultyStore(index.inner, Fault(change=shorten(1), times=1)))
    with pytest.raises(CorruptError, match="01M3250V000000000000000001/index: the index ends inside its postings"):
        index.numbers("job=a")
    assert index.cache.items == {}
    assert index.numbers("job=a") == list(range(0, 30, 3))


@pytest.mark.parametrize("small", [True, False])
def test_a_damaged_list_is_corrupt_with_its_offset(index, monkeypatch, small):
    if not small:
        monkeypatch.setattr(lists, "SMALL_INDEX", 0)
    start = int(index.header.ranges(b"job", [b"b"])[0, 0])
    data = bytearray(index.built.data)
    data[start + 5] ^= 1
    index.inner.put("01M3250V000000000000000001/index", bytes(data))
    with pytest.raises(CorruptError, match=rf"/index: the checksum of a postings list .* \(at offset {start - 4}\)"):
        index.numbers("job=b")
    assert not any(key.startswith(("P:", "EP:")) for key in index.cache.items)


def test_refs_outside_the_series_are_corrupt(index):
    low, high = index.header.series
    scale = index.header.scale
    for refs in ([low // scale - 1, high // scale - 1], [-(-high // scale)], [2**32 - 1]):
        with pytest.raises(CorruptError, match="outside the series section"):
            refs_in_range(np.array(refs, np.uint32), index.header, "x")


def test_digests_do_not_depend_on_the_order_of_matchers(matcher):
    assert digest_of([matcher("a=b"), matcher("c=d")]) == digest_of([matcher("c=d"), matcher("a=b")])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["a=b"], ["a!=b"]),
        (["a=b"], ["a=~b"]),
        (["a=b", "c=d"], ["a=b"]),
        (["a=b", "c=d"], ['a="b";c=d']),
        (["a=b;c=d"], ["a=b", "c=d"]),
    ],
)
def test_digests_tell_matchers_apart(matcher, one, other):
    assert digest_of([matcher(text) for text in one]) != digest_of([matcher(text) for text in other])


def test_digests_tell_apart_what_looks_alike():
    tricky = Matcher(LabelMatcher(0, 'a="b";c', "d"))
    plain = [Matcher(LabelMatcher(0, "a", "b")), Matcher(LabelMatcher(0, "c", "d"))]
    assert digest_of([tricky]) != digest_of(plain)
    broken = [Matcher(LabelMatcher(0, "a", text)) for text in ("\udcff", "\udcfe", "\ufffd")]
    assert len({digest_of([one]) for one in broken}) == 3
