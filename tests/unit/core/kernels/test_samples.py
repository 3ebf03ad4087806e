"""The walk over a chunk's samples, against the obvious decoders."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storegate.errors import CorruptError
from storegate.testing.chunks import (
    STALE,
    Histogram,
    decode_chunk,
    encode_histogram,
    encode_xor,
)
from storegate.testing.strategies import damaged, float_samples, histogram_samples, raw_chunks

HISTOGRAMS = [
    (1000 * n, Histogram(n, n // 2, n / 3, 1, 0.3, ((0, 2), (3, 1)), ((1, 2),), (n, 1, -n), (2, n))) for n in range(9)
]
CUSTOM = [(n, Histogram(n, 0, n / 7, -53, 0, ((0, 3),), (), (n, 1, 2), (), (0.005, 2.5, 1e9))) for n in range(5)]
FLOATS = [(t, histogram.to_float()) for t, histogram in HISTOGRAMS]
CHUNKS = {
    "xor": (1, encode_xor([(0, 1.5), (15000, 2.0), (30001, 2.0), (2**40, -3.25), (2**40 + 1, STALE)])),
    "histogram": (2, encode_histogram(HISTOGRAMS)),
    "custom-bounds": (2, encode_histogram(CUSTOM)),
    "float-histogram": (3, encode_histogram(FLOATS)),
    "stale-histogram": (2, encode_histogram([*HISTOGRAMS, (99999, Histogram(sum=STALE))])),
    "stale-float-histogram": (3, encode_histogram([*FLOATS, (99999, Histogram(sum=STALE, is_float=True))])),
}


def scan(kernels, chunks, windows=10_000):
    """(status, samples, first, last, backward, spare) of each (encoding, data)."""
    arena = b"".join(data for _, data in chunks)
    starts = np.cumsum([0, *(len(data) for _, data in chunks)])
    subs = np.array(
        [(3, encoding - 1, at, len(data)) for (encoding, data), at in zip(chunks, starts, strict=False)], np.int64
    ).reshape(-1, 4)
    out = np.full((len(chunks), 6), -9, np.int64)
    kernels.samples.scan_samples(arena, subs, np.zeros(windows, np.int64), out)
    return [tuple(row) for row in out.tolist()]


def obvious(encoding, data):
    samples = decode_chunk(encoding, data)
    times = [t for t, _ in samples]
    backward = sum(later <= earlier for earlier, later in pairwise(times))
    return (0, len(samples), times[0], times[-1], backward)


@given(chunks=st.lists(raw_chunks(), max_size=4))
def test_counts_and_times_are_those_of_the_decoders(kernels, chunks):
    pairs = [(chunk.encoding, chunk.data) for chunk in chunks]
    assert [row[:5] for row in scan(kernels, pairs)] == [obvious(*pair) for pair in pairs]


@pytest.mark.parametrize("chunk", CHUNKS.values(), ids=CHUNKS)
def test_every_layout_is_walked_to_its_end(kernels, chunk):
    (row,) = scan(kernels, [chunk])
    assert row[:5] == obvious(*chunk)
    assert 0 <= row[5] < 8


@given(samples=st.lists(st.tuples(st.integers(-(2**62), 2**62), st.floats()), min_size=1, max_size=6))
def test_times_may_go_anywhere(kernels, samples):
    chunk = (1, encode_xor(samples))
    assert scan(kernels, [chunk])[0][:5] == obvious(*chunk)


@pytest.mark.parametrize("chunk", CHUNKS.values(), ids=CHUNKS)
def test_a_chunk_without_samples_is_sound(kernels, chunk):
    encoding, _ = chunk
    assert scan(kernels, [(encoding, b"\0\0" + bytes(encoding > 1))]) == [(0, 0, 0, 0, 0, 0)]


@pytest.mark.parametrize("chunk", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("missing", [1, 5, 20])
def test_a_chunk_that_is_cut_off_is_told(kernels, chunk, missing):
    encoding, data = chunk
    assert scan(kernels, [(encoding, data[:-missing])])[0][0] == 27


@pytest.mark.parametrize("chunk", CHUNKS.values(), ids=CHUNKS)
def test_bytes_behind_the_last_sample_are_counted(kernels, chunk):
    encoding, data = chunk
    (before,), (after,) = scan(kernels, [chunk]), scan(kernels, [(encoding, data + bytes(3))])
    assert after[5] - before[5] == 24


@st.composite
def broken_chunks(draw):
    encoding, data = draw(st.sampled_from(sorted(CHUNKS.values())))
    data = draw(damaged(data))
    return encoding, data[:2000]


@given(chunk=broken_chunks())
@example(chunk=(1, b""))
@example(chunk=(3, b"\0\1"))
def test_damage_is_noticed_where_the_decoders_notice_it(kernels, chunk):
    (row,) = scan(kernels, [chunk])
    if chunk[1][:2] == b"\0\0":
        assert row[:2] == (0, 0)
        return
    try:
        expected = obvious(*chunk)
    except CorruptError:
        assert row[0] in (27, 28)
    else:
        assert row[:5] == expected


@given(samples=st.one_of(float_samples(), histogram_samples()), data=st.data())
def test_one_chunk_does_not_disturb_the_next(kernels, samples, data):
    histogram = isinstance(samples[0][1], Histogram)
    good = (2 + samples[0][1].is_float, encode_histogram(samples)) if histogram else (1, encode_xor(samples))
    bad = (good[0], data.draw(damaged(good[1])))
    assert scan(kernels, [good, bad, good])[::2] == scan(kernels, [good]) * 2


def test_float_histograms_larger_than_the_scratch_space_are_refused(kernels):
    assert scan(kernels, [CHUNKS["float-histogram"]], windows=6)[0][0] == 28


@pytest.mark.parametrize("row", [(3, 0, -1, 4), (3, 0, 0, -1), (3, 0, 4, 20), (3, 3, 0, 4), (3, -1, 0, 4)])
def test_sub_chunks_outside_the_arena_are_refused(kernels, row):
    with pytest.raises(ValueError, match="outside the arena"):
        kernels.samples.scan_samples(bytes(10), np.array([row]), np.zeros(2, np.int64), np.zeros((1, 6), np.int64))


def test_outputs_of_the_wrong_size_are_refused(kernels):
    subs = np.array([(3, 0, 0, 4)])
    for shape in ((0, 6), (1, 5)):
        with pytest.raises(ValueError, match="too small"):
            kernels.samples.scan_samples(bytes(10), subs, np.zeros(2, np.int64), np.zeros(shape, np.int64))
