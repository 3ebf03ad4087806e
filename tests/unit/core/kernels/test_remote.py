"""Messages of remote read against protobuf: what is read from frames, and what is written."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from remote_read.client import frames, histogram_of
from remote_read.columns import ALWAYS, chunk_table, decode, order, samples_of

from storegate.testing.chunks import comparable
from storegate.testing.strategies import damaged, raw_chunks
from storegate_proto.prompb.remote_pb2 import ChunkedReadResponse, QueryResult
from storegate_proto.prompb.types_pb2 import Label
from storegate_proto.store.storepb.rpc_pb2 import SeriesResponse
from storegate_proto.store.storepb.types_pb2 import AggrChunk, Series, SeriesBatch

AGGREGATES = ("raw", "count", "sum", "min", "max", "counter")
LABELS = st.lists(st.tuples(st.text(max_size=3), st.one_of(st.text(max_size=3), st.just("v" * 200))), max_size=3)
TIMES = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
DATA = st.one_of(st.binary(max_size=8), st.just(b"d" * 300))
SUB = st.fixed_dictionaries({"type": st.integers(0, 2), "data": DATA, "hash": st.integers(0, 2**64 - 1)})
CHUNK = st.builds(
    lambda low, high, subs: AggrChunk(min_time=low, max_time=high, **subs),
    TIMES,
    TIMES,
    st.dictionaries(st.sampled_from(AGGREGATES), SUB, max_size=3),
)
RAW = st.builds(lambda low, high, sub: AggrChunk(min_time=low, max_time=high, raw=sub), TIMES, TIMES, SUB)


def series_of(chunks):
    return st.builds(
        lambda labels, found: Series(labels=[{"name": n, "value": v} for n, v in labels], chunks=found),
        LABELS,
        st.lists(chunks, max_size=4),
    )


def batch(series):
    return SeriesResponse(batch=SeriesBatch(series=series)).SerializeToString()


def scan(kernels, frame):
    """The tables of a frame, None when it is none."""
    g, m = kernels.remote.scan_frame(frame, np.empty((0, 3), np.int64), np.empty((0, 7), np.int64))
    if g < 0:
        return None
    series, chunks = np.full((g, 3), -9, np.int64), np.full((m, 7), -9, np.int64)
    assert kernels.remote.scan_frame(frame, series, chunks) == (g, m)
    return series, chunks, np.append(series[:, 2], m)


def rows_of(series):
    """What the chunk table says, with data in the place of positions."""
    return [
        (chunk.min_time, chunk.max_time, field, sub.type + 1, sub.data)
        for one in series
        for chunk in one.chunks
        for field, sub in ((field, getattr(chunk, name)) for field, name in enumerate(AGGREGATES, 3))
        if chunk.HasField(AGGREGATES[field - 3])
    ]


# --- reading ---


@given(series=st.lists(series_of(CHUNK), max_size=5))
def test_a_batch_is_read_whole(kernels, series):
    frame = batch(series)
    table, chunks, first = scan(kernels, frame)
    found = [(*row[:4], frame[row[4] : row[4] + row[5]]) for row in chunks.tolist()]
    assert found == rows_of(series)
    assert np.diff(first).tolist() == [len(rows_of([one])) for one in series]
    labels = [frame[begin:end] for begin, end, _ in table.tolist()]
    assert labels == [Series(labels=one.labels).SerializeToString() for one in series]


@given(series=series_of(CHUNK))
def test_a_frame_of_one_series_is_read_as_a_batch_of_one(kernels, series):
    frame = SeriesResponse(series=series).SerializeToString()
    _, chunks, _ = scan(kernels, frame)
    assert [(*row[:4], frame[row[4] : row[4] + row[5]]) for row in chunks.tolist()] == rows_of([series])


FRAME = batch(
    [
        Series(
            labels=[{"name": "a", "value": "b"}],
            chunks=[{"min_time": 1, "max_time": 2, "raw": {"data": b"xyz", "hash": 7}}] * 2,
        )
    ]
    * 3
)


@given(frame=damaged(FRAME))
@example(frame=b"")
@example(frame=FRAME[:-1])
def test_a_damaged_frame_is_told_or_its_rows_lie_inside(kernels, frame):
    found = scan(kernels, frame)
    if found is not None:
        series, chunks, _ = found
        assert ((series[:, 0] >= 0) & (series[:, 0] <= series[:, 1]) & (series[:, 1] <= len(frame))).all()
        assert ((chunks[:, 4] >= 0) & (chunks[:, 5] >= 0) & (chunks[:, 4] + chunks[:, 5] <= len(frame))).all()


# --- finding what overlaps ---


def tangles(kernels, runs, *, whole=False):
    """The groups of chunks (low, high, field), by series."""
    rows = [(low, high, field, 1, 0, 0, 0) for run in runs for low, high, field in run]
    first = np.cumsum([0, *map(len, runs)]).astype(np.int64)
    groups = np.empty(len(rows), np.int64)
    kernels.remote.find_tangles(first, np.array(rows, np.int64).reshape(-1, 7), whole, groups)
    return [groups[a:b].tolist() for a, b in pairwise(first.tolist())]


def test_chunks_that_follow_one_another_are_sound(kernels):
    assert tangles(kernels, [[(0, 9, 3), (10, 19, 3)], [(0, 9, 3)], []]) == [[-1, -1], [-1], []]


def test_chunks_that_share_a_time_belong_together(kernels):
    assert tangles(
        kernels, [[(0, 9, 3), (9, 19, 3), (30, 39, 3)], [(0, 30, 3), (5, 6, 3), (20, 40, 3), (41, 42, 3)]]
    ) == [
        [0, 0, -1],
        [1, 1, 1, -1],
    ]


def test_aggregates_are_never_sound(kernels):
    assert tangles(kernels, [[(0, 9, 4), (0, 9, 5), (10, 19, 3), (20, 29, 8)]]) == [[0, 0, -1, 1]]


def test_a_series_with_aggregates_may_be_asked_for_as_a_whole(kernels):
    runs = [[(0, 9, 3), (10, 19, 8)], [(0, 9, 3), (10, 19, 3)]]
    assert tangles(kernels, runs, whole=True) == [[0, 0], [-1, -1]]


# --- writing chunks ---


def write_chunked(kernels, series, query, limit):
    frame = batch(series)
    table, chunks, first = scan(kernels, frame)
    return kernels.remote.write_chunked(frame, b"", table, first, chunks, query, limit)


@given(series=st.lists(series_of(RAW), max_size=4), query=st.integers(0, 300), limit=st.sampled_from((1, 700, 2**40)))
def test_chunked_messages_hold_one_series_each_and_split_it_at_the_limit(kernels, series, query, limit):
    messages = [ChunkedReadResponse.FromString(data) for data in frames(write_chunked(kernels, series, query, limit))]
    assert {message.query_index for message in messages} <= {query}
    pieces = [message.chunked_series[0] for message in messages]
    assert [len(message.chunked_series) for message in messages] == [1] * len(pieces)
    at = 0
    for one in series:
        labels = [Label(name=label.name, value=label.value) for label in one.labels]
        own, wanted = [], [(c.min_time, c.max_time, c.raw.type + 1, c.raw.data) for c in one.chunks]
        while True:
            assert list(pieces[at].labels) == labels
            found = [(c.min_time_ms, c.max_time_ms, c.type, c.data) for c in pieces[at].chunks]
            assert len(found) <= 1 or pieces[at].ByteSize() <= limit
            own += found
            at += 1
            if len(own) == len(wanted):
                break
            following = type(pieces[at])(labels=pieces[at].labels, chunks=pieces[at].chunks[:1])
            assert pieces[at - 1].ByteSize() + following.ByteSize() > limit  # else it had been one message
        assert own == wanted
    assert at == len(pieces)


@given(series=st.lists(series_of(RAW), max_size=3), query=st.integers(0, 3))
def test_chunked_messages_are_canonical(kernels, series, query):
    for data in frames(write_chunked(kernels, series, query, 2**40)):
        assert ChunkedReadResponse.FromString(data).SerializeToString() == data


def test_re_encoded_data_comes_from_its_own_buffer(kernels):
    frame = batch([Series(labels=[{"name": "a", "value": "b"}], chunks=[{"raw": {"data": b"old"}}] * 2)])
    table, chunks, first = scan(kernels, frame)
    chunks[1, 4:] = (2, 3, 1)
    body = kernels.remote.write_chunked(frame, b"..new", table, first, chunks, 0, 1000)
    (message,) = (ChunkedReadResponse.FromString(data) for data in frames(body))
    assert [chunk.data for chunk in message.chunked_series[0].chunks] == [b"old", b"new"]


@pytest.mark.parametrize(("column", "value"), [(4, -1), (4, 10**6), (5, -1), (5, 10**6), (3, 0), (3, 4), (6, 1)])
def test_chunks_outside_of_their_buffer_are_refused(kernels, column, value):
    table, chunks, first = scan(kernels, FRAME)
    chunks[0, column] = value
    with pytest.raises(ValueError, match="a chunk is"):
        kernels.remote.write_chunked(FRAME, b"", table, first, chunks, 0, 1000)


# --- writing samples ---


@given(runs=st.lists(st.lists(raw_chunks(), max_size=3), max_size=4), low=st.integers(-10, 200))
def test_time_series_hold_the_decoded_samples(kernels, runs, low):
    frame = batch([Series(labels=[{"name": "n", "value": str(number)}]) for number in range(len(runs))])
    table, _, _ = scan(kernels, frame)
    data, chunks = chunk_table([chunk for run in runs for chunk in run])
    _, columns = decode(kernels, data, chunks)
    cuts = columns.starts[np.cumsum([0, *map(len, runs)]), 0].tolist()
    index, kept = order(kernels, columns, cuts, low, ALWAYS[1])
    message = kernels.remote_samples.write_timeseries(
        frame, table, kept, index, columns.times, columns.values, columns.rows, chunks, columns.starts, columns.layouts,
        columns.numbers, np.empty(len(runs), np.int64),
    )  # fmt: skip
    result = QueryResult.FromString(message)
    assert result.SerializeToString() == message
    assert [[(label.name, label.value) for label in one.labels] for one in result.timeseries] == [
        [("n", str(number))] for number in range(len(runs))
    ]
    for number, one in enumerate(result.timeseries):
        expected = samples_of(columns, index[kept[number] : kept[number + 1]])
        found = [(sample.timestamp, sample.value) for sample in one.samples]
        found += [(histogram.timestamp, histogram_of(histogram)) for histogram in one.histograms]
        assert comparable(sorted(found, key=lambda sample: sample[0])) == comparable(expected)
