"""Frames against protobuf: what is written parses to what was meant, and serialises to the same bytes."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate_proto.store.storepb.rpc_pb2 import SeriesResponse
from storegate_proto.store.storepb.types_pb2 import AggrChunk, Series, SeriesBatch

AGGREGATES = ("raw", "count", "sum", "min", "max", "counter")
LABELS = st.lists(st.tuples(st.text(max_size=3), st.one_of(st.text(max_size=3), st.just("v" * 200))), max_size=3)
TIMES = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
CHUNK = st.builds(
    lambda mint, maxt, subs: AggrChunk(min_time=mint, max_time=maxt, **subs),
    TIMES,
    TIMES,
    st.dictionaries(
        st.sampled_from(AGGREGATES),
        st.builds(
            lambda type_, data, digest: {"type": type_, "data": data, "hash": digest},
            st.integers(0, 2),
            st.one_of(st.binary(max_size=8), st.just(b"d" * 300)),
            st.integers(0, 2**64 - 1),
        ),
        max_size=3,
    ),
)
SERIES = st.builds(
    lambda labels, chunks: Series(labels=[{"name": n, "value": v} for n, v in labels], chunks=chunks),
    LABELS,
    st.lists(CHUNK, max_size=4),
)
WINDOW = st.lists(SERIES, min_size=1, max_size=6)


class Window:
    """The columns of a window. Chunks are stored in reverse, so that `kept` is no mere count."""

    def __init__(self, kernels, series):
        self.kernel = kernels.frames
        label_parts = [Series(labels=one.labels).SerializeToString() for one in series]
        chunks = [chunk for one in series for chunk in one.chunks][::-1]
        subs, hashes, arena, sub_start = [], [], b"?", [0]
        for chunk in chunks:
            for field, name in enumerate(AGGREGATES, 3):
                if chunk.HasField(name):
                    sub = getattr(chunk, name)
                    subs.append((field, sub.type, len(arena), len(sub.data)))
                    hashes.append(sub.hash)
                    arena += sub.data
            sub_start.append(len(subs))
        self.count, m = len(series), len(chunks)
        label_start = np.array([*accumulate(map(len, label_parts), initial=0)], np.int64)
        kept_start = np.array([*accumulate((len(one.chunks) for one in series), initial=0)], np.int64)
        self.columns = (
            label_start, np.arange(self.count), kept_start, np.arange(m)[::-1].copy(),
            np.array([(c.min_time, c.max_time) for c in chunks], np.int64).reshape(-1, 2),
            np.array(sub_start, np.int64), np.array(subs, np.int64).reshape(-1, 4), np.array(hashes, np.uint64),
            np.full(m, -1, np.int64), np.full(self.count, -1, np.int64),
        )  # fmt: skip
        self.texts = (b"".join(label_parts), arena)
        self.total = self.kernel.measure_series(*self.columns)
        self.sizes = self.columns[-1].tolist()

    def write(self, begin=0, end=None, per_frame=0, headed=True):
        end = self.count if end is None else end
        return self.kernel.write_frames(begin, end, per_frame, headed, *self.texts, *self.columns)


@given(series=WINDOW)
def test_series_are_measured_to_the_byte(kernels, series):
    window = Window(kernels, series)
    assert window.sizes == [one.ByteSize() for one in series]
    assert window.total == sum(window.sizes)


@given(series=WINDOW)
def test_a_series_to_a_frame_is_what_protobuf_writes(kernels, series):
    frames = Window(kernels, series).write()
    assert frames == [SeriesResponse(series=one).SerializeToString() for one in series]
    assert [SeriesResponse.FromString(frame).SerializeToString() for frame in frames] == frames


@given(series=WINDOW, per_frame=st.integers(1, 7))
def test_batches_are_what_protobuf_writes(kernels, series, per_frame):
    batches = [series[i : i + per_frame] for i in range(0, len(series), per_frame)]
    frames = Window(kernels, series).write(per_frame=per_frame)
    assert frames == [SeriesResponse(batch=SeriesBatch(series=batch)).SerializeToString() for batch in batches]


@given(series=WINDOW, cuts=st.tuples(st.integers(0, 6), st.integers(0, 6)).map(sorted))
def test_bare_batches_have_no_header(kernels, series, cuts):
    begin, end = (min(cut, len(series)) for cut in cuts)
    frames = Window(kernels, series).write(begin, end, max(1, end - begin), headed=False)
    assert frames == ([SeriesBatch(series=series[begin:end]).SerializeToString()] if begin < end else [])


def test_a_large_frame_is_written_too(kernels):
    data = bytes(range(256)) * 200
    series = [Series(labels=[{"name": "a", "value": "b"}], chunks=[AggrChunk(raw={"data": data})])] * 3
    assert Window(kernels, series).write(per_frame=3) == [
        SeriesResponse(batch=SeriesBatch(series=series)).SerializeToString()
    ]


def test_nothing_is_written_of_no_series(kernels):
    assert Window(kernels, [Series()]).write(1, 1) == []


@pytest.mark.parametrize(("begin", "end"), [(-1, 1), (1, 0), (0, 2)])
def test_series_outside_the_window_are_refused(kernels, begin, end):
    with pytest.raises(ValueError, match="outside the window"):
        Window(kernels, [Series()]).write(begin, end)
