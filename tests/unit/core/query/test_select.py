"""The matching series of one block, before chunks are read."""

from __future__ import annotations

from typing import Any

import pytest

from storegate.errors import CorruptError, LimitError
from storegate.index import lists, pages
from storegate.query import select
from storegate.query.request import Shard
from storegate.testing.faults import Fault, FaultyStore, flip, shorten
from storegate.testing.obvious.index import read_index
from storegate_proto.store.storepb.rpc_pb2 import SeriesResponse


def minutes(*at: int) -> list[tuple[int, float]]:
    return [(60_000 * minute, float(minute)) for minute in at]


def test_series_without_a_chunk_in_the_time_range_are_left_out(engine: Any) -> None:
    engine.add([({"a": "1"}, minutes(0)), ({"a": "2"}, minutes(5)), ({"a": "3"}, minutes(9))])
    assert engine.labels("a!=", min_time=60_000, max_time=8 * 60_000) == [(("a", "2"),)]


def test_both_ends_of_the_time_range_are_inside(engine: Any) -> None:
    engine.add([({"a": "1"}, minutes(0)), ({"a": "2"}, minutes(5))])
    assert len(engine.labels("a!=", min_time=0, max_time=5 * 60_000)) == 2


def test_only_chunks_in_the_time_range_are_taken(engine: Any) -> None:
    engine.add([({"a": "1"}, minutes(*range(6)))], samples_per_chunk=2)
    (series,) = engine.series("a=1", min_time=3 * 60_000, max_time=3 * 60_000)
    assert [(chunk.min_time, chunk.max_time) for chunk in series.chunks] == [(120_000, 180_000)]


def test_without_chunks_the_time_range_counts_all_the_same(engine: Any) -> None:
    engine.add([({"a": "1"}, minutes(0)), ({"a": "2"}, minutes(5))])
    assert engine.labels("a!=", skip_chunks=True, min_time=60_000) == [(("a", "2"),)]


def test_batches_do_not_change_the_answer(make_engine: Any, up: Any) -> None:
    small, large = make_engine(settings={"query": {"series_batch": 2}}), make_engine()
    for engine in (small, large):
        engine.add(up(7), {"region": "eu"})
    assert small.labels("n!=") == large.labels("n!=")


def test_batches_out_of_order_are_sorted_as_a_whole(make_engine: Any) -> None:
    engine = make_engine(settings={"query": {"series_batch": 2}})
    engine.add([({"a": str(n), "b": str(9 - n)}, minutes(0)) for n in range(5)])
    assert engine.labels("a!=", without_replica_labels=("a",)) == [(("b", str(n)),) for n in range(5, 10)]


def test_a_shard_takes_its_series_only(engine: Any, up: Any) -> None:
    engine.add(up(20))
    shards = [
        engine.labels("n!=", shard=Shard(index=i, total=3, by=True, labels=("n",)), skip_chunks=True) for i in range(3)
    ]
    assert sorted(labels for shard in shards for labels in shard) == engine.labels("n!=")


def test_shards_share_no_series(engine: Any, up: Any) -> None:
    engine.add(up(20))
    shards = [set(engine.labels("n!=", shard=Shard(index=i, total=2, by=True, labels=("n",)))) for i in range(2)]
    assert not shards[0] & shards[1]


def test_a_shard_of_no_total_is_off(engine: Any, up: Any) -> None:
    engine.add(up(5))
    assert len(engine.labels("n!=", shard=Shard(index=3, total=0, by=True, labels=("n",)))) == 5


def test_a_shard_reads_no_chunks_of_other_series(engine: Any, up: Any) -> None:
    engine.add(up(20))
    stream = engine.stream("n!=", shard=Shard(index=0, total=3, by=True, labels=("n",)))
    series = [frame for frames in stream for frame in frames]
    stream.close()
    assert stream.stats.chunks_touched == len(series) < 20


def test_a_limit_reads_no_more_entries_than_it_needs(engine: Any, up: Any) -> None:
    engine.add(up(20))
    stream = engine.stream("n!=", limit=3)
    list(stream)
    stream.close()
    assert stream.stats.series_touched == 3


def test_candidates_count_against_the_series_limit(make_engine: Any, up: Any) -> None:
    engine = make_engine(settings={"limits": {"series": 5}})
    engine.add(up(6))
    with pytest.raises(LimitError, match=r"exceeded series limit: limit 5 violated \(got 6\)"):
        engine.labels("n!=")


def test_candidates_out_of_the_time_range_count_too(make_engine: Any) -> None:
    engine = make_engine(settings={"limits": {"series": 1}})
    engine.add([({"a": "1"}, minutes(0)), ({"a": "2"}, minutes(5))])
    with pytest.raises(LimitError, match="series"):
        engine.labels("a!=", max_time=0)


def test_candidates_that_a_limit_cuts_off_do_not_count(make_engine: Any, up: Any) -> None:
    engine = make_engine(settings={"limits": {"series": 5}})
    engine.add(up(6))
    assert len(engine.labels("n!=", limit=5)) == 5


def test_replicas_add_up_in_the_series_limit(make_engine: Any, up: Any) -> None:
    engine = make_engine(settings={"limits": {"series": 5}})
    for replica in "ab":
        engine.add(up(3), {"replica": replica})
    with pytest.raises(LimitError, match="got 6"):
        engine.labels("n!=", without_replica_labels=("replica",))


def test_chunks_count_as_120_samples_each(make_engine: Any, up: Any) -> None:
    engine = make_engine(settings={"limits": {"samples": 5 * 120}})
    engine.add(up(6))
    with pytest.raises(LimitError, match=r"exceeded chunks limit: limit 5 violated \(got 6\)"):
        engine.labels("n!=")


def test_chunks_that_are_not_wanted_do_not_count(make_engine: Any, up: Any) -> None:
    engine = make_engine(settings={"limits": {"samples": 5 * 120}})
    engine.add(up(6))
    assert len(engine.labels("n!=", skip_chunks=True)) == 6


def test_a_dropped_query_is_counted_once(make_engine: Any, up: Any) -> None:
    engine = make_engine(settings={"limits": {"series": 5}})
    for replica in "abc":
        engine.add(up(6), {"replica": replica})
    with pytest.raises(LimitError):
        engine.labels("n!=")
    name = "thanos_bucket_store_queries_dropped_total"
    assert engine.sample(name, reason="series", tenant="default-tenant") == 1


def test_entries_longer_than_the_estimate_are_read_again(make_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "SMALL_INDEX", 0)
    monkeypatch.setattr(pages, "PAGE", 64)
    engine = make_engine(settings={"query": {"series_size": 16}})
    engine.add([({"a": str(n)}, minutes(*range(50))) for n in range(4)], samples_per_chunk=1)
    stream = engine.stream("a!=")
    answer = [SeriesResponse.FromString(frame) for frames in stream for frame in frames]
    stream.close()
    assert [len(frame.series.chunks) for frame in answer] == [50] * 4
    assert stream.stats.series_refetches > 0


def test_entries_far_from_one_another_are_read_a_stretch_at_a_time(
    make_engine: Any, up: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "SMALL_INDEX", 0)
    monkeypatch.setattr(pages, "PAGE", 64)
    monkeypatch.setattr(select, "STRETCH", 256)
    monkeypatch.setattr(select, "STRETCH_ENTRIES", 2)
    engine = make_engine()
    engine.add(up(60))
    assert len(engine.labels("n=~.*[05]")) == 12
    _, *lengths = [request.length for request in engine.store.requests("get_range", "*/index")]
    assert len(lengths) == 3
    assert max(lengths) <= 256 + 2 * 64


def test_damaged_pages_in_the_cache_are_replaced_by_those_of_the_bucket(engine: Any, up: Any) -> None:
    engine.add(up(3))
    expected = engine.labels("n!=")
    for key, value in engine.cache.items.items():
        if key.startswith("S:"):
            engine.cache.items[key] = bytes(len(value) - 30) + value[-30:]
    kept = dict(engine.cache.items)
    assert engine.labels("n!=") == expected
    assert engine.cache.items != kept
    engine.store.reset()
    assert engine.labels("n!=") == expected
    assert engine.store.count("*", "*/index") == 0


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
def test_an_entry_that_comes_damaged_is_read_once_more(
    make_engine: Any, up: Any, monkeypatch: pytest.MonkeyPatch, times: int | None
) -> None:
    monkeypatch.setattr(lists, "SMALL_INDEX", 0)
    pages_of_entries = Fault(key="*/index", first=2, times=times, change=flip(25))  # the first read is of postings
    engine = make_engine(wrap=lambda store: FaultyStore(store, pages_of_entries))
    engine.add(up(3))
    if times:
        assert len(engine.labels("n!=")) == 3
    else:
        with pytest.raises(CorruptError, match="series entry"):
            engine.labels("n!=")
    assert engine.store.count("get_range", "*/index") == 3


def test_an_index_that_ends_early_is_an_error_about_the_index(make_engine: Any, up: Any) -> None:
    engine = make_engine(wrap=lambda store: FaultyStore(store, Fault(key="*/index", change=shorten(8))))
    block = engine.add(up(3))
    with pytest.raises(CorruptError, match=f"{block.meta.ulid}/index: the index ends"):
        engine.labels("n!=")


def test_an_entry_with_a_wrong_checksum_names_the_index_and_the_block(engine: Any, up: Any) -> None:
    block = engine.add(up(3))
    with block.header() as header:
        at = header.series[0]
    key = f"{block.meta.ulid}/index"
    data = bytearray(engine.bucket.get(key))
    data[-(-at // 16) * 16 + 2] ^= 1
    engine.bucket.put(key, bytes(data))
    with pytest.raises(CorruptError, match="checksum of a series entry") as raised:
        engine.labels("n!=")
    assert (raised.value.block, raised.value.stage, raised.value.object) == (block.meta.ulid, "series", key)


LAZY = {"lazy_expanded_postings": True, "series_size": 1}


def test_lazy_matchers_are_tested_on_the_series(make_engine: Any) -> None:
    engine = make_engine(settings={"query": LAZY})
    engine.add([({"few": f"{n // 3}", "n": f"{n:03}", "wide": "xyz"[n % 3]}, minutes(0)) for n in range(300)])
    assert engine.labels("few=7", "wide!=y") == [
        (("few", "7"), ("n", "021"), ("wide", "x")),
        (("few", "7"), ("n", "023"), ("wide", "z")),
    ]
    assert engine.sample("thanos_bucket_store_lazy_expanded_postings_total") == 1


@pytest.mark.parametrize(("stats", "lazy"), [(True, 1), (False, 0)])
def test_what_is_left_to_a_scan_depends_on_the_size_of_the_blocks_series(
    make_engine: Any, stats: bool, lazy: int
) -> None:
    engine = make_engine(settings={"query": {"lazy_expanded_postings": True}})
    series = [({"few": f"{n // 3}", "n": f"{n:03}", "wide": "xyz"[n % 3]}, minutes(0)) for n in range(300)]
    engine.add(series, index_stats=stats)
    assert len(engine.labels("few=7", "wide!=y")) == 2
    assert engine.sample("thanos_bucket_store_lazy_expanded_postings_total") == lazy


def test_series_that_lazy_matchers_refuse_do_not_count_against_the_limit(make_engine: Any) -> None:
    engine = make_engine(settings={"limits": {"series": 1}, "query": LAZY})
    engine.add([({"few": f"{n // 3}", "n": f"{n:03}", "wide": "xyz"[n % 3]}, minutes(0)) for n in range(300)])
    assert len(engine.labels("few=7", "wide=y")) == 1


def test_series_that_lazy_matchers_let_pass_count_against_the_limit(make_engine: Any) -> None:
    engine = make_engine(settings={"limits": {"series": 1}, "query": LAZY})
    engine.add([({"few": f"{n // 3}", "n": f"{n:03}", "wide": "xyz"[n % 3]}, minutes(0)) for n in range(300)])
    with pytest.raises(LimitError, match=r"exceeded series limit: limit 1 violated \(got 2\)"):
        engine.labels("few=7", "wide!=y")


def test_bytes_of_series_that_lazy_matchers_refuse_are_counted(make_engine: Any) -> None:
    engine = make_engine(settings={"query": LAZY})
    block = engine.add([({"few": f"{n // 3}", "n": f"{n:03}", "wide": "xyz"[n % 3]}, minutes(0)) for n in range(300)])
    engine.labels("few=7", "wide!=y")
    data = engine.bucket.get(f"{block.meta.ulid}/index")
    (offset,) = [one.offset for one in read_index(data).series.values() if dict(one.labels)["n"] == "022"]
    name = "thanos_bucket_store_lazy_expanded_posting_series_overfetched_size_bytes_total"
    assert engine.sample(name) == 1 + data[offset] + 4  # its length in one byte, and the checksum
