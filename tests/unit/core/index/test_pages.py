"""Series entries by page: which pages are read, kept, and put together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.errors import CorruptError
from storegate.index import pages
from storegate.index.pages import fetch_entries
from storegate.testing.faults import CountingStore, Fault, FaultyStore, shorten

ULID = "01M3250V000000000000000001"
KEY = f"{ULID}/index"
PAGE = 64
SERIES = [{"i": f"{i:03}", "job": "x" * (i % 7)} for i in range(60)]


@pytest.fixture(autouse=True, scope="module")
def small_pages():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "PAGE", PAGE)
        patch.setattr(pages, "FEW_PAGES", 0)
        yield


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def index(request, make_index):
    return make_index([{k: v for k, v in labels.items() if v} for labels in SERIES], version=request.param, chunks=3)


def fetch(index, refs, estimate=40, access=None):
    access = access or index.access()
    arena, runs = index.drive(fetch_entries(ULID, KEY, index.header, refs, estimate, access), access)
    return bytes(arena), [tuple(run) for run in runs.tolist()]


def check(index, numbers, arena, runs, estimate=40):
    """Each run holds what the index has there, and each entry lies in a run as far as was asked for."""
    end = index.header.series[1]
    for start, stop, at in runs:
        assert arena[at : at + stop - start] == index.built.data[start:stop]
    for number in numbers:
        offset = index.built.offsets[number]
        assert any(start <= offset and min(offset + estimate, end) <= stop for start, stop, _ in runs)
    assert all(before[1] < after[0] for before, after in pairwise(runs))


@given(numbers=st.sets(st.integers(0, 59), min_size=1).map(sorted), estimate=st.integers(1, 200), data=st.data())
def test_entries_are_there_as_far_as_they_were_asked_for(make_index, numbers, estimate, data):
    index = make_index(
        [{k: v for k, v in labels.items() if v} for labels in SERIES], version=data.draw(st.sampled_from((1, 2)))
    )
    index.gap = data.draw(st.sampled_from((0, 100, 10_000)))
    check(index, numbers, *fetch(index, index.refs(*numbers), estimate), estimate)
    others = data.draw(st.sets(st.integers(0, 59), min_size=1).map(sorted))
    check(index, others, *fetch(index, index.refs(*others), estimate), estimate)  # some pages from the cache


def test_pages_that_were_read_are_found_again(index):
    fetch(index, index.refs(3, 40))
    index.store.reset()
    access = index.access()
    check(index, [3, 40], *fetch(index, index.refs(3, 40), access=access))
    assert index.store.count() == 0
    assert access.stats.series_fetch_count == 0


def test_only_the_missing_pages_are_read(index):
    index.gap = 0
    fetch(index, index.refs(3))
    index.store.reset()
    fetch(index, index.refs(3, 50))
    assert all(request.offset > index.built.offsets[40] for request in index.store.requests())


def test_pages_in_a_gap_that_was_read_over_are_kept_too(index):
    fetch(index, index.refs(3, 50))
    index.store.reset()
    check(index, [20], *fetch(index, index.refs(20)))
    assert index.store.count() == 0


def test_a_page_of_the_wrong_size_in_the_cache_is_a_miss(index):
    fetch(index, index.refs(3))
    index.cache.items = {key: value[:-1] for key, value in index.cache.items.items()}
    check(index, [3], *fetch(index, index.refs(3)))


def test_nothing_is_kept_when_series_are_not_enabled(index):
    index.enabled = ("Postings",)
    fetch(index, index.refs(3))
    assert index.cache.items == {}


def test_bytes_are_charged_as_planned_and_as_found(index):
    fetch(index, index.refs(3))
    (size, what), *rest = index.charges
    assert (what, rest) == ("fetching series", [])
    index.charges.clear()
    fetch(index, index.refs(3))
    assert index.charges == [(size, "loading series from index cache")]


def test_series_of_an_index_that_was_read_whole_are_charged_as_if_read_by_themselves(index):
    access = index.access()
    fetch(index, index.refs(3, 4), access=access)
    apart = list(index.charges)
    index.cache.close()
    access = index.access()
    index.expand("i=~.+", access=access)
    index.charges.clear()
    fetch(index, index.refs(3, 4), access=access)
    assert index.charges == apart


def test_a_page_of_an_index_that_was_read_whole_is_charged_once(index):
    access = index.access()
    index.expand("i=~.+", access=access)
    fetch(index, index.refs(3), access=access)
    index.charges.clear()
    fetch(index, index.refs(3), access=access)
    assert index.charges == [(0, "fetching series")]


def test_an_index_that_was_read_whole_is_not_read_again(index):
    access = index.access()
    index.expand("i=~.+", access=access)
    index.store.reset()
    check(index, range(60), *fetch(index, index.refs(*range(60)), access=access))
    assert index.store.count() == 0


def test_the_pages_of_an_index_that_was_read_whole_are_kept(index):
    index.expand("i=~.+")
    index.store.reset()
    check(index, range(60), *fetch(index, index.refs(*range(60))))
    assert index.store.count() == 0


def test_an_index_that_ends_too_soon_is_corrupt_and_nothing_of_it_is_kept(index):
    index.store = CountingStore(FaultyStore(index.inner, Fault(change=shorten(1), times=1)))
    with pytest.raises(CorruptError, match=r"/index: the index ends inside its series section"):
        fetch(index, index.refs(3))
    assert index.cache.items == {}


def test_few_neighbouring_pages_are_taken_whole(index, monkeypatch):
    monkeypatch.setattr(pages, "FEW_PAGES", 4)
    index.gap = 0
    fetch(index, index.refs(0, 4))
    assert index.store.count() == 1


def test_refs_may_lie_beyond_4_gib():
    refs = np.array([2**28 + 1, 2**28 + 2], np.uint32)
    found = pages._pages_of(refs, 16, 40, 2**33)
    assert found == list(range((2**32 + 16) // PAGE, (2**32 + 32 + 40 - 1) // PAGE + 1))
