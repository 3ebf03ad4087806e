"""Chunks of some series: read, checked, folded; read again where the guess was too short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storegate.errors import CancelledError, CorruptError, LimitError, NotFoundError, StoregateError, UnavailableError
from storegate.kernels import coalesce
from storegate.query import window
from storegate.query.call import Call
from storegate.query.request import Aggregate
from storegate.testing.chunks import decode_xor
from storegate.testing.crc32c import crc32c
from storegate.testing.faults import Fault, FaultyStore, HoldingStore

TINY = {"query": {"chunk_size": 16}}
CHUNKS = "*/chunks/*"


def samples(count: int, start: int = 0) -> list[tuple[int, float]]:
    return [(start + 15_000 * t, t * 1.37) for t in range(count)]


def segment_of(block: Any) -> str:
    return f"{block.meta.ulid}/chunks/000001"


def spoil(engine: Any, key: str, change: Callable[[bytearray], Any]) -> None:
    data = bytearray(engine.bucket.get(key))
    change(data)
    engine.bucket.put(key, bytes(data))


def test_samples_come_back_as_they_were_written(engine: Any) -> None:
    engine.add([({"a": "1"}, samples(100))])
    (series,) = engine.series("a=1")
    assert decode_xor(series.chunks[0].raw.data) == samples(100)


def test_chunks_of_several_segments_come_back_in_order(engine: Any) -> None:
    engine.add([({"a": "1"}, samples(600))], samples_per_chunk=10, segment_size=500)
    (series,) = engine.series("a=1")
    assert [s for chunk in series.chunks for s in decode_xor(chunk.raw.data)] == samples(600)


def test_a_chunk_longer_than_the_guess_is_read_again(make_engine: Any) -> None:
    engine = make_engine(settings=TINY)
    engine.add([({"a": "1"}, samples(120))])
    (series,) = engine.series("a=1")
    assert decode_xor(series.chunks[0].raw.data) == samples(120)


def test_chunks_that_were_read_again_are_counted(make_engine: Any) -> None:
    engine = make_engine(settings=TINY)
    engine.add([({"a": "1"}, samples(120))])
    engine.series("a=1")
    assert engine.finished.stats[0].chunks_refetches == 1
    assert engine.sample("thanos_bucket_store_chunk_refetches_total", tenant="default-tenant") == 1


def test_reading_again_is_charged(make_engine: Any) -> None:
    # Enough for the index and the guess, not for the whole chunk.
    free = make_engine(settings=TINY)
    free.add([({"a": "1"}, samples(5000))], samples_per_chunk=5000)
    stream = free.stream("a=1", skip_chunks=True)
    list(stream)
    stream.close()
    spent = stream.stats.data_downloaded_size_sum
    engine = make_engine(settings=TINY | {"limits": {"bytes": spent + 1000}})
    engine.add([({"a": "1"}, samples(5000))], samples_per_chunk=5000)
    with pytest.raises(LimitError, match="exceeded bytes limit while fetching chunks"):
        engine.series("a=1")


def test_chunks_are_charged_before_they_are_read(make_engine: Any) -> None:
    engine = make_engine(settings={"limits": {"bytes": 3000}})
    engine.add([({"a": "1"}, samples(1000))])
    with pytest.raises(LimitError, match="exceeded bytes limit while fetching chunks"):
        engine.series("a=1")
    assert engine.store.count("get_range", CHUNKS) == 0


def test_all_chunks_of_a_window_that_were_cut_off_are_read_again_together(make_engine: Any) -> None:
    engine = make_engine(settings=TINY)
    engine.shared.partitioner.partition = lambda starts, ends: coalesce(starts, ends, 0)
    series = [({"a": str(n)}, samples(120)) for n in range(9)]
    engine.add(series, samples_per_chunk=20)
    latest = {"min_time": 15_000 * 100, "max_time": 15_000 * 119}
    engine.be_quick()
    found = engine.series("a=~[0-9]", **latest)
    assert [s for one in found for chunk in one.chunks for s in decode_xor(chunk.raw.data)] == samples(120)[100:] * 9
    assert engine.finished.stats[0].chunks_refetches == 9
    assert engine.store.count("get_range", CHUNKS) == 9 + 9


def test_gaps_that_are_read_over_make_windows_smaller(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.add([({"a": f"{n:03}", "b": "xy"[n % 9 == 0]}, samples(120)) for n in range(180)])
    size = len(engine.bucket.get(segment_of(next(iter(engine.catalog.snapshot().blocks.values())))))
    monkeypatch.setattr(window, "WINDOW_BYTES", size // 4)
    found = engine.series("b=y")
    assert [decode_xor(one.chunks[0].raw.data) for one in found] == [samples(120)] * 20
    lengths = [request.length for request in engine.store.requests("get_range", CHUNKS)]
    assert len(lengths) > 4
    assert max(lengths) <= size // 4


def test_a_series_that_is_larger_than_a_window_is_read_whole(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "WINDOW_BYTES", 1)
    engine.add([({"a": str(n)}, samples(120)) for n in range(3)])
    assert len(engine.series("a!=")) == 3


@pytest.mark.parametrize("size", [0, None], ids=["known", "unknown"])
def test_a_length_that_was_cut_off_is_read_again(make_engine: Any, size: int | None) -> None:
    engine = make_engine(settings={"query": {"chunk_size": 1}})
    block = engine.add([({"a": "1"}, samples(120))])
    if size is None:
        block.segment_sizes = (None,)
    (series,) = engine.series("a=1")
    assert decode_xor(series.chunks[0].raw.data) == samples(120)
    assert engine.finished.stats[0].chunks_refetches == 2


def test_a_chunk_that_claims_more_than_its_segment_holds_is_not_read_again(make_engine: Any) -> None:
    engine = make_engine(settings=TINY)
    block = engine.add([({"a": "1"}, samples(100))])
    spoil(engine, segment_of(block), lambda data: data.__setitem__(slice(8, 11), b"\xff\xff\x7f"))
    with pytest.raises(CorruptError, match="goes past the end of its segment") as raised:
        engine.series("a=1")
    assert raised.value.block == block.meta.ulid
    assert engine.store.count("get_range", CHUNKS) == 1


def test_a_wrong_checksum_names_segment_and_offset(engine: Any) -> None:
    block = engine.add([({"a": "1"}, samples(10))])
    spoil(engine, segment_of(block), lambda data: data.__setitem__(15, data[15] ^ 1))
    with pytest.raises(CorruptError, match="the checksum of a chunk does not match") as raised:
        engine.series("a=1")
    assert (raised.value.object, raised.value.offset) == (segment_of(block), 8)


def test_the_offset_is_that_of_the_broken_chunk(engine: Any) -> None:
    block = engine.add([({"a": str(n)}, samples(10)) for n in range(3)])
    spoil(engine, segment_of(block), lambda data: data.__setitem__(-1, data[-1] ^ 1))
    with pytest.raises(CorruptError) as raised:
        engine.series("a!=")
    entry = (len(engine.bucket.get(segment_of(block))) - 8) // 3
    assert raised.value.offset == 8 + 2 * entry


@pytest.mark.parametrize("settings", [{}, TINY])
def test_a_cut_segment_is_corrupt(make_engine: Any, settings: Any) -> None:
    engine = make_engine(settings=settings)
    block = engine.add([({"a": "1"}, samples(100))])
    spoil(engine, segment_of(block), lambda data: data.__delitem__(slice(len(data) - 6, None)))
    with pytest.raises(CorruptError, match="goes past the end of its segment") as raised:
        engine.series("a=1")
    assert raised.value.object == segment_of(block)


def test_a_chunk_that_claims_more_than_its_segment_holds_is_corrupt(engine: Any) -> None:
    block = engine.add([({"a": "1"}, samples(10))])
    spoil(engine, segment_of(block), lambda data: data.__setitem__(slice(8, 10), b"\xff\x7f"))
    with pytest.raises(CorruptError, match="goes past the end of its segment"):
        engine.series("a=1")


def test_an_unknown_encoding_is_named(engine: Any) -> None:
    block = engine.add([({"a": "1"}, samples(10))])
    length = engine.bucket.get(segment_of(block))[8]

    def change(data: bytearray) -> None:
        data[9] = 4
        data[10 + length :] = crc32c(bytes(data[9 : 10 + length])).to_bytes(4, "big")

    spoil(engine, segment_of(block), change)
    with pytest.raises(StoregateError, match="unsupported chunk encoding 4"):
        engine.series("a=1")


@pytest.mark.parametrize(
    ("error", "expected"),
    [(NotFoundError("gone"), NotFoundError), (UnavailableError("down"), UnavailableError)],
)
def test_errors_of_the_store_come_through_with_their_stage(
    make_engine: Any, error: Exception, expected: type[StoregateError]
) -> None:
    engine = make_engine(wrap=lambda store: FaultyStore(store, Fault(key=CHUNKS, error=error)))
    engine.add([({"a": "1"}, samples(10))])
    with pytest.raises(expected) as raised:
        engine.series("a=1")
    assert raised.value.stage == "chunks"
    assert raised.value.block == next(iter(engine.catalog.snapshot().blocks))


def test_damage_has_the_stage_of_chunks(engine: Any) -> None:
    block = engine.add([({"a": "1"}, samples(10))])
    spoil(engine, segment_of(block), lambda data: data.__setitem__(-1, data[-1] ^ 1))
    with pytest.raises(CorruptError) as raised:
        engine.series("a=1")
    assert raised.value.stage == "chunks"


def test_cancelling_ends_the_wait_for_chunks(make_engine: Any) -> None:
    engine = make_engine(wrap=lambda store: HoldingStore(store, key=CHUNKS))
    engine.add([({"a": "1"}, samples(10))])
    call = Call()
    answer = engine.pool.submit(engine.series, "a=1", call=call)
    assert engine.faulty.reached.wait(10)
    call.cancel()
    assert isinstance(answer.exception(10), CancelledError)
    engine.faulty.release()


# --- folding ---


def test_chunks_that_replicas_share_come_once(engine: Any) -> None:
    times = [[(t, float(t)) for t in range(start, start + 10)] for start in (0, 10, 20)]
    for replica, chunks in (("a", times[:2]), ("b", times)):
        engine.add(
            [({"a": "1"}, [sample for chunk in chunks for sample in chunk])], {"replica": replica}, samples_per_chunk=10
        )
    (series,) = engine.series("a=1", without_replica_labels=("replica",))
    assert [(chunk.min_time, chunk.max_time) for chunk in series.chunks] == [(0, 9), (10, 19), (20, 29)]


def test_chunks_that_overlap_and_differ_are_all_kept(engine: Any) -> None:
    for replica in (1, 2):
        engine.add([({"a": "1"}, [(t, float(t * replica)) for t in range(1, 9)])], {"replica": str(replica)})
    (series,) = engine.series("a=1", without_replica_labels=("replica",))
    assert [(chunk.min_time, chunk.max_time) for chunk in series.chunks] == [(1, 8), (1, 8)]


def test_chunks_of_several_blocks_come_in_time_order(engine: Any) -> None:
    engine.add([({"a": "1"}, samples(10, start=1_000_000))])
    engine.add([({"a": "1"}, samples(10))])
    (series,) = engine.series("a=1")
    assert [chunk.min_time for chunk in series.chunks] == [0, 1_000_000]


def test_aggregates_are_those_that_were_asked_for(engine: Any) -> None:
    engine.add([({"a": "1"}, samples(100))], resolution=300_000)
    (series,) = engine.series("a=1", max_resolution=300_000, aggregates=(Aggregate.COUNT, Aggregate.MAX))
    found = [field.name for field, _ in series.chunks[0].ListFields()]
    assert [name for name in found if not name.endswith("time")] == ["count", "max"]


def test_unknown_aggregates_are_passed_over(engine: Any) -> None:
    engine.add([({"a": "1"}, samples(100))], resolution=300_000)
    (series,) = engine.series("a=1", max_resolution=300_000, aggregates=(77, -1, Aggregate.SUM))
    assert series.chunks[0].HasField("sum")


def test_raw_chunks_come_whatever_aggregates_were_asked_for(engine: Any) -> None:
    engine.add([({"a": "1"}, samples(10))])
    (series,) = engine.series("a=1", aggregates=(Aggregate.COUNT,))
    assert series.chunks[0].HasField("raw")
