"""What one query cost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from storegate.query.stats import QueryStats


def test_amounts_are_added_to_the_named_fields() -> None:
    stats = QueryStats()
    stats.add(series_touched=2, chunks_touched=3)
    stats.add(series_touched=5)
    assert (stats.series_touched, stats.chunks_touched) == (7, 3)


def test_an_unknown_field_is_an_error() -> None:
    with pytest.raises(AttributeError):
        QueryStats().add(series_touch=1)


def test_downloaded_bytes_are_all_touched_and_fetched_ones() -> None:
    stats = QueryStats(
        postings_touched_size_sum=1,
        postings_fetched_size_sum=20,
        series_touched_size_sum=300,
        series_fetched_size_sum=4000,
        chunks_touched_size_sum=50_000,
        chunks_fetched_size_sum=600_000,
    )
    assert stats.data_downloaded_size_sum == 654_321


def test_threads_add_without_losing_anything() -> None:
    stats = QueryStats()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: stats.add(series_touched=1), range(1000)))
    assert stats.series_touched == 1000


def test_the_dictionary_holds_public_fields_only() -> None:
    found = QueryStats(method="LabelNames", tenant="a").as_dict()
    assert (found["method"], found["tenant"], found["blocks_queried"]) == ("LabelNames", "a", 0)
    assert not [name for name in found if name.startswith("_")]
