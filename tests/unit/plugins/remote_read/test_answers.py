"""Both kinds of answers over random buckets are those of the obvious reader, sample for sample."""

from __future__ import annotations

import math
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from remote_read.client import CHUNKS, SAMPLES, encode_request, query, read_chunked, read_samples

from storegate.config.settings import Settings
from storegate.errors import CorruptError, LimitError
from storegate.gateway import Gateway
from storegate.query.call import Call
from storegate.query.request import Aggregate, LabelMatcher, SeriesRequest
from storegate.testing import (
    BlockOptions,
    Histogram,
    RawChunk,
    obvious_series,
    read_block,
    strategies,
    write_block,
    write_block_raw,
)
from storegate.testing.chunks import (
    AGGR,
    FLOAT_HISTOGRAM,
    STALE,
    XOR,
    build_aggregate,
    comparable,
    decode_chunk,
    encode_xor,
)
from storegate.testing.strategies import BlockPlan
from storegate_remote_read import sampled
from storegate_remote_read.chunked import chunked_answer
from storegate_remote_read.requests import read_request
from storegate_remote_read.sampled import sampled_answer

few = settings(max_examples=40, suppress_health_check=list(HealthCheck))
MAX_FRAME = 1 << 20
ANY = LabelMatcher(2, "__name__", ".*")
MINUTE, HOUR = 60_000, 3_600_000


@contextmanager
def serving(folder):
    given = {
        "object_store": {"type": "FILESYSTEM", "config": {"directory": str(folder)}},
        "cache_index_header": False,
        "frontends": [],
        "meta_filters": [],
    }
    gateway = Gateway(Settings.model_validate(given))
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop(0.0)


def request_of(queries, accepted, **options):
    defaults = {"max_size": 1 << 20, "max_resolution": 0, "replica_labels": ()}
    return read_request(encode_request(queries, [accepted]), **(defaults | options))


def chunked(gateway, queries, *, max_frame=MAX_FRAME, **options):
    """The series of an answer of chunks."""
    return read_chunked(b"".join(chunked_answer(gateway, request_of(queries, CHUNKS, **options), Call(), max_frame)))


def samples(gateway, queries, *, max_samples=0, **options):
    """By query, the series of an answer of samples."""
    request = request_of(queries, SAMPLES, **options)
    return read_samples(b"".join(sampled_answer(gateway, request, Call(), max_samples)))


def cut(found, low, high):
    return [sample for sample in found if low <= sample[0] <= high]


def obvious(blocks, request, low, high):
    """(labels, samples) of each series: of a time that several chunks have, the first one stays."""
    answer = []
    for one in obvious_series(blocks, request):
        first = {}
        for chunk in one.chunks:
            encoding, data = chunk.aggregates["raw"]
            for t, value in decode_chunk(encoding + 1, data):
                first.setdefault(t, value)
        answer.append((one.labels, comparable(cut(sorted(first.items(), key=lambda item: item[0]), low, high))))
    return answer


@st.composite
def raw_buckets(draw):
    """Blocks of raw chunks, several of which may have the same series at the same times."""
    base = draw(strategies.block_plans(min_series=1))
    plans = []
    for number in range(draw(st.integers(1, 3))):
        series = [(labels, chunks) for labels, chunks in base.series if draw(st.integers(0, 3))]
        if number and draw(st.booleans()):
            series = draw(strategies.block_plans(min_series=1)).series
        external = {"replica": draw(st.sampled_from("ab")), "zone": "z"}
        plans.append(BlockPlan(tuple(series), replace(base.options, external_labels=external, seed=number)))
    return plans


@few
@given(
    plans=raw_buckets(),
    bounds=st.tuples(st.integers(-10, 500), st.integers(-10, 500)),
    dropped=st.sampled_from(((), ("replica",))),
    max_frame=st.sampled_from((1, 100, MAX_FRAME)),
)
def test_both_kinds_of_answers_are_those_of_the_obvious_reader(plans, bounds, dropped, max_frame):
    low, high = sorted(bounds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        blocks = [read_block(folder / plan.write(folder).ulid) for plan in plans]
        blocks.sort(key=lambda block: (sorted(block.labels.items()), block.ulid))
        request = SeriesRequest(
            min_time=low, max_time=high, matchers=(ANY,), aggregates=(0,), without_replica_labels=dropped
        )
        expected = obvious(blocks, request, low, high)
        with serving(folder) as gateway:
            asked = [query(low, high, ANY)]
            (found,) = samples(gateway, asked, replica_labels=dropped)
            assert [(labels, comparable(own)) for labels, own in found] == expected
            streamed = chunked(gateway, asked, replica_labels=dropped, max_frame=max_frame)
    assert [(one.labels, comparable(cut(one.samples(), low, high))) for one in streamed] == expected
    for one in streamed:
        times = [t for t, _ in one.samples()]
        assert times == sorted(set(times))  # Prometheus plays chunk after chunk


# --- examples ---


def floats(start, count, step=MINUTE, value=0.0):
    return [(start + n * step, value + n) for n in range(count)]


def up(number):
    return {"__name__": "up", "n": str(number)}


UP = (0, "__name__", "up")


def test_sound_chunks_pass_unopened(tmp_path):
    chunks = [RawChunk(0, 9, XOR, b"\0\1not a chunk"), RawChunk(10, 19, FLOAT_HISTOGRAM, b"nor this")]
    write_block_raw(tmp_path, [(up(1), chunks)])
    with serving(tmp_path) as gateway:
        assert [one.chunks for one in chunked(gateway, [query(0, 20, UP)])] == [chunks]


def test_chunks_outside_of_the_range_are_left_out(tmp_path):
    write_block(tmp_path, [(up(1), floats(0, 360))])
    with serving(tmp_path) as gateway:
        (one,) = chunked(gateway, [query(125 * MINUTE, 130 * MINUTE, UP)])
    assert [(chunk.min_time, chunk.max_time) for chunk in one.chunks] == [(120 * MINUTE, 239 * MINUTE)]


def test_overlapping_chunks_are_put_together_and_the_others_pass(tmp_path):
    early, late = floats(0, 120), floats(10_000 * MINUTE, 5)
    write_block(tmp_path, [(up(1), early + late)], external_labels={"replica": "a"}, seed=1)
    write_block(tmp_path, [(up(1), floats(7_000, 120, value=0.5))], external_labels={"replica": "b"}, seed=2)
    with serving(tmp_path) as gateway:
        (one,) = chunked(gateway, [query(0, 10**12, UP)], replica_labels=("replica",))
    assert one.samples() == sorted(early + floats(7_000, 120, value=0.5)) + late
    assert [len(decode_chunk(chunk.encoding, chunk.data)) for chunk in one.chunks] == [120, 120, 5]
    assert one.chunks[-1].data == encode_xor(late)


def test_native_histograms_of_replicas_are_put_together(tmp_path):
    def histograms(start):
        return [(start + n * MINUTE, Histogram(n, 0, n / 3, 1, 0.5, ((0, 1),), (), (n,))) for n in range(130)]

    def floating(start):
        return [(t, histogram.to_float()) for t, histogram in histograms(start)]

    for number, make in enumerate((histograms, floating)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for replica, start in (("a", 0), ("b", 1000)):
            write_block(folder, [(up(1), make(start))], external_labels={"replica": replica}, seed=replica)
        with serving(folder) as gateway:
            (one,) = chunked(gateway, [query(0, 10**12, UP)], replica_labels=("replica",))
            ((_, found),) = samples(gateway, [query(0, 10**12, UP)], replica_labels=("replica",))[0]
        expected = sorted(make(0) + make(1000), key=lambda sample: sample[0])
        assert comparable(one.samples()) == comparable(found) == comparable(expected)


def test_stale_markers_keep_their_bits(tmp_path):
    write_block(tmp_path, [(up(1), [(1, 1.0), (2, STALE)])])
    with serving(tmp_path) as gateway:
        ((_, found),) = samples(gateway, [query(0, 10, UP)])[0]
    assert comparable(found) == comparable([(1, 1.0), (2, STALE)])


def test_external_labels_alone_select_series(tmp_path):
    """The StoreAPI gives nothing here, and a PromQL query such as `{zone="z"}` wants everything."""
    write_block(tmp_path, [(up(1), floats(0, 3)), ({"job": "nameless"}, floats(0, 3))], external_labels={"zone": "z"})
    with serving(tmp_path) as gateway:
        found = [[len(result) for result in samples(gateway, [query(0, 9, (0, "zone", value))])] for value in "zy"]
    assert found == [[2], [0]]


def test_queries_are_answered_in_their_order(tmp_path):
    write_block(tmp_path, [(up(n), floats(0, 3)) for n in range(3)])
    asked = [query(0, 10**9, (0, "n", "2")), query(0, 10**9, (0, "n", "none")), query(0, 10**9, UP)]
    with serving(tmp_path) as gateway:
        by_query = [[dict(labels)["n"] for labels, _ in result] for result in samples(gateway, asked)]
        streamed = [(one.query, dict(one.labels)["n"]) for one in chunked(gateway, asked)]
    assert by_query == [["2"], [], ["0", "1", "2"]]
    assert streamed == [(0, "2"), (2, "0"), (2, "1"), (2, "2")]


def test_a_request_without_queries_has_an_empty_answer(tmp_path):
    with serving(tmp_path) as gateway:
        assert samples(gateway, []) == []
        assert chunked(gateway, []) == []


def test_a_client_that_looks_at_labels_only_gets_no_samples(tmp_path):
    write_block(tmp_path, [(up(1), floats(0, 300))], external_labels={"zone": "z"})
    labels = (("__name__", "up"), ("n", "1"), ("zone", "z"))
    with serving(tmp_path) as gateway:
        asked = [query(0, 10**9, UP, func="series")]
        assert samples(gateway, asked) == [[(labels, [])]]
        assert [(one.labels, one.chunks) for one in chunked(gateway, asked)] == [(labels, [])]


def test_a_series_over_the_frame_limit_is_split_between_chunks(tmp_path):
    write_block(tmp_path, [(up(1), [(n * MINUTE, n * 1.1) for n in range(600)]), (up(2), floats(0, 2))])
    with serving(tmp_path) as gateway:
        whole = chunked(gateway, [query(0, 10**9, UP)])
        split = chunked(gateway, [query(0, 10**9, UP)], max_frame=2000)
    assert [one.frames for one in whole] == [1, 1]
    assert split[0].frames > 1
    assert [one.samples() for one in split] == [one.samples() for one in whole]


def test_too_many_samples_are_refused(tmp_path):
    write_block(tmp_path, [(up(n), floats(0, 100)) for n in range(3)])
    with serving(tmp_path) as gateway:
        assert len(samples(gateway, [query(0, 10**9, UP)], max_samples=300)[0]) == 3
        with pytest.raises(LimitError, match=r"more than 299 samples.*max_samples"):
            samples(gateway, [query(0, 10**9, UP)], max_samples=299)


def test_many_chunks_are_decoded_some_series_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(sampled, "CHUNKS_AT_ONCE", 3)
    write_block(tmp_path, [(up(n), floats(0, 60 * (n + 1))) for n in range(9)], samples_per_chunk=30)
    with serving(tmp_path) as gateway:
        (found,) = samples(gateway, [query(0, 10**9, UP)])
    assert [own for _, own in found] == [floats(0, 60 * (n + 1)) for n in range(9)]


def test_a_chunk_that_cannot_be_decoded_is_told(tmp_path):
    write_block_raw(tmp_path, [(up(1), [RawChunk(5, 9, XOR, b"\xff\xffxyz")])])
    with serving(tmp_path) as gateway, pytest.raises(CorruptError, match="the times 5 to 9 cannot be decoded: a chunk"):
        samples(gateway, [query(0, 10, UP)])


# --- downsampled blocks ---


@pytest.fixture
def downsampled(tmp_path):
    """A raw day, and behind it a day at five minutes, of a counter with resets and a native histogram."""
    raw = [(n * MINUTE, float(n % 700)) for n in range(2 * 24 * 60)]
    day = 24 * HOUR
    first, second = raw[: 24 * 60], raw[24 * 60 :]
    histograms = [(t, Histogram(n, 0, n / 2, 0, 0.5, ((0, 1),), (), (n,))) for n, (t, _) in enumerate(second)]
    write_block(tmp_path, [(up(1), first)], min_time=0, max_time=day, seed=1)
    options = BlockOptions(min_time=day, max_time=2 * day, resolution=300_000, seed=2)
    write_block(tmp_path, [(up(1), second), (up(2), histograms)], options=options)
    with serving(tmp_path) as gateway:
        yield gateway, raw


def asked(function, number=1):
    return [query(0, 10**12, (0, "n", str(number)), func=function)]


def test_raw_blocks_only_are_read_by_default(downsampled):
    gateway, raw = downsampled
    assert samples(gateway, asked("rate")) == [[((("__name__", "up"), ("n", "1")), raw[: 24 * 60])]]


@pytest.mark.parametrize(
    ("function", "of_window"),
    [
        ("", lambda values: sum(values) / len(values)),
        ("avg_over_time", lambda values: sum(values) / len(values)),
        ("min_over_time", min),
        ("max_over_time", max),
        ("sum_over_time", sum),
    ],
)
def test_downsampled_blocks_give_a_value_for_each_window(downsampled, function, of_window):
    gateway, raw = downsampled
    ((_, found),) = samples(gateway, asked(function), max_resolution=300_000)[0]
    (streamed,) = chunked(gateway, asked(function), max_resolution=300_000)
    values = [value for _, value in raw[24 * 60 :]]
    expected = [of_window(values[n : n + 5]) for n in range(0, len(values), 5)]
    assert found[: 24 * 60] == raw[: 24 * 60]
    assert [value for _, value in found[24 * 60 :]] == expected
    assert streamed.samples() == found


@pytest.mark.parametrize("function", ["rate", "increase", "irate"])
def test_downsampled_counters_grow_as_the_raw_ones_do(downsampled, function):
    gateway, raw = downsampled
    ((_, found),) = samples(gateway, asked(function), max_resolution=300_000)[0]
    (streamed,) = chunked(gateway, asked(function), max_resolution=300_000)
    grown = sum(later - earlier if later >= earlier else later for (_, earlier), (_, later) in pairwise(raw))
    assert found[-1][1] - found[0][1] == grown
    assert [value for _, value in found] == sorted(value for _, value in found)
    assert streamed.samples() == found


def test_downsampled_histograms_are_averages_or_counters(downsampled):
    gateway, _ = downsampled
    ((_, averages),) = samples(gateway, asked("", 2), max_resolution=300_000)[0]
    ((_, counters),) = samples(gateway, asked("rate", 2), max_resolution=300_000)[0]
    assert [histogram.count for _, histogram in averages[:2]] == [2.0, 7.0]
    assert {histogram.is_gauge for _, histogram in averages} == {True}
    assert [histogram.count for _, histogram in counters] == [float(n) for n in range(4, 24 * 60, 5)]
    (streamed,) = chunked(gateway, asked("", 2), max_resolution=300_000)
    assert comparable(streamed.samples()) == comparable(averages)


def aggregate(**slots):
    """An aggregate chunk of the times 0 to 9 from samples by slot."""
    data = build_aggregate(**{name: (XOR, encode_xor(samples)) for name, samples in slots.items()})
    return RawChunk(0, 9, AGGR, data)


def averages(folder, *chunks):
    """The averages of a series for each chunk, blocks of one hour."""
    series = [(up(number), [chunk]) for number, chunk in enumerate(chunks)]
    write_block_raw(folder, series, resolution=3_600_000, min_time=0, max_time=10)
    with serving(folder) as gateway:
        return [found for _, found in samples(gateway, [query(0, 9, UP)], max_resolution=3_600_000)[0]]


def test_a_count_or_a_sum_alone_is_no_average(tmp_path):
    counts, sums = [(1, 2.0), (9, 4.0)], [(1, 6.0), (9, 2.0)]
    whole = aggregate(count=counts, sum=sums)
    assert averages(tmp_path, aggregate(count=counts), aggregate(sum=sums), whole) == [[], [], [(1, 3.0), (9, 0.5)]]


def test_windows_without_a_count_are_no_number(tmp_path):
    (((_, found),),) = averages(tmp_path, aggregate(count=[(1, 0.0)], sum=[(1, 0.0)]))
    assert math.isnan(found)


def test_counts_and_sums_of_other_times_are_told(tmp_path):
    with pytest.raises(CorruptError, match="not of the same times"):
        averages(tmp_path, aggregate(count=[(1, 2.0)], sum=[(2, 2.0)]))


def test_every_function_asks_for_aggregates_that_it_can_use():
    def aggregates(function):
        return request_of(asked(function), SAMPLES, max_resolution=300_000).queries[0].aggregates

    assert aggregates("increase") == (Aggregate.COUNTER,)
    assert aggregates("max_over_time") == (Aggregate.MAX,)
    assert aggregates("histogram_quantile") == (Aggregate.COUNT, Aggregate.SUM)
