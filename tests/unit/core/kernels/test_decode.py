"""Decoding, ordering and encoding samples, against the obvious decoders."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from remote_read.columns import chunk_table, decode, encode, order, samples_of

from storegate.errors import CorruptError
from storegate.kernels import explain
from storegate.testing import Histogram, RawChunk
from storegate.testing.chunks import (
    GAUGE,
    RESET,
    STALE,
    comparable,
    decode_chunk,
    encode_histogram,
    encode_samples,
    encode_xor,
    float_bits,
    reset_flags,
)
from storegate.testing.strategies import damaged, float_samples, histogram_samples, raw_chunks

HISTOGRAMS = [
    (1000 * n, Histogram(9 * n, n // 2, n / 3, 1, 0.3, ((0, 2), (3, 1)), ((1, 2),), (n, 1, -n), (2, n)))
    for n in range(9)
]
FLOATS = [(t, histogram.to_float()) for t, histogram in HISTOGRAMS]
CUSTOM = [(n, Histogram(n, 0, n / 7, -53, 0, ((0, 3),), (), (n, 1, 2), (), (0.005, 2.5, 1e9))) for n in range(5)]
GAUGES = [(t, Histogram(5, 1, -1.5, 2, 2.0**-128, ((-4, 1),), (), (4,), is_gauge=True)) for t in (5, 6, 70)]
STALES = [(20_000, Histogram(sum=STALE)), (21_000, Histogram(sum=STALE))]
KINDS = {
    "floats": [(0, 1.5), (15000, 2.0), (30001, 2.0), (2**40, -3.25), (2**40 + 1, STALE), (2**40 + 2, -0.0)],
    "histograms": HISTOGRAMS,
    "float-histograms": FLOATS,
    "custom-bounds": CUSTOM,
    "gauges": GAUGES,
    "stale-histograms": [*HISTOGRAMS, *STALES],
    "only-stale": STALES,
    "stale-float-histograms": [*FLOATS, (20_000, Histogram(sum=STALE, is_float=True))],
    "mixed": [*((t - 10_000, 1.5) for t, _ in HISTOGRAMS), *HISTOGRAMS, *((t + 90_000, h) for t, h in FLOATS)],
}
DECODED = [(chunk.encoding, chunk.data) for kind in KINDS.values() for chunk in encode_samples(kind)]


def obvious(chunks):
    return [sample for chunk in chunks for sample in decode_chunk(chunk.encoding, chunk.data)]


def decoded(kernels, chunks):
    status, columns = decode(kernels, *chunk_table(chunks))
    assert status == 0, explain(status)
    return columns


# --- decoding ---


@pytest.mark.parametrize("samples", KINDS.values(), ids=KINDS)
def test_each_kind_of_sample_is_decoded(kernels, samples):
    assert comparable(samples_of(decoded(kernels, encode_samples(samples)))) == comparable(samples)


@given(chunks=st.lists(raw_chunks(), max_size=5))
def test_samples_are_those_of_the_obvious_decoder(kernels, chunks):
    assert comparable(samples_of(decoded(kernels, chunks))) == comparable(obvious(chunks))


@given(samples=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats()), min_size=1, max_size=8))
def test_times_and_values_may_be_anything(kernels, samples):
    chunk = RawChunk(0, 0, 1, encode_xor(samples))
    assert comparable(samples_of(decoded(kernels, [chunk]))) == comparable(samples)


@given(chunk=st.sampled_from(DECODED).flatmap(lambda pair: st.tuples(st.just(pair[0]), damaged(pair[1]))))
@example(chunk=(1, b""))
@example(chunk=(1, b"\0"))
@example(chunk=(1, b"\xff\xff"))
@example(chunk=(2, b"\0\1"))
@example(chunk=(2, b"\0\1\0\0"))
@example(chunk=(3, b"\xff\xff\0\0\0"))
def test_a_damaged_chunk_is_told_or_decoded_as_the_obvious_decoder_does(kernels, chunk):
    encoding, data = chunk
    status, columns = decode(kernels, *chunk_table([RawChunk(0, 0, encoding, data)]))
    try:
        expected = decode_chunk(encoding, data)
    except CorruptError:
        expected = None
    if status == 0 and len(columns.times) == 0:
        assert not expected
    elif expected is None:
        assert status
        assert not explain(status).startswith("unknown")
    else:
        assert status == 0
        assert comparable([*map(as_bits, samples_of(columns))]) == comparable([*map(as_bits, expected)])


def as_bits(sample):
    """Layouts of damaged chunks hold NaNs, and counts below zero that a decoder of numbers without sign wraps."""
    t, value = sample
    if not isinstance(value, Histogram):
        return sample
    bounds = tuple(map(float_bits, value.custom_bounds))
    value = replace(value, zero_threshold=float_bits(value.zero_threshold), custom_bounds=bounds)
    if value.is_float:
        return t, value
    return t, replace(value, count=value.count % 2**64, zero_count=value.zero_count % 2**64)


def test_an_unknown_encoding_is_told(kernels):
    assert explain(decode(kernels, *chunk_table([RawChunk(0, 0, 4, b"\0\1\0\0")]))[0]) == "unsupported chunk encoding"


def test_a_chunk_outside_of_the_data_is_refused(kernels):
    data, table = chunk_table(encode_samples(HISTOGRAMS))
    table[0, 5] += 1
    with pytest.raises(ValueError, match="outside the data"):
        decode(kernels, data, table)


# --- ordering ---


@given(chunks=st.lists(raw_chunks(), max_size=6), cut=st.integers(0, 6), bounds=st.tuples(*[st.integers(-50, 400)] * 2))
def test_samples_are_ordered_by_time_and_the_first_of_a_time_stays(kernels, chunks, cut, bounds):
    columns = decoded(kernels, chunks)
    cut = min(cut, len(chunks))
    low, high = min(bounds), max(bounds)
    index, kept = order(kernels, columns, columns.starts[[0, cut, len(chunks)], 0].tolist(), low, high)
    for run, part in enumerate((chunks[:cut], chunks[cut:])):
        first = {}
        for t, value in obvious(part):
            if low <= t <= high:
                first.setdefault(t, value)
        assert comparable(samples_of(columns, index[kept[run] : kept[run + 1]])) == comparable(sorted(first.items()))


@given(times=st.lists(st.integers(0, 400), max_size=300))
def test_many_short_runs_are_sorted(kernels, times):
    index, kept = np.empty(len(times), np.int64), np.empty(2, np.int64)
    columns = np.array(times, np.int64)
    kernels.order.order_samples(
        np.array([0, len(times)], np.int64), columns, 0, 400, index, np.empty(len(times), np.int64), kept
    )
    assert index[: kept[1]].tolist() == [times.index(t) for t in sorted(set(times))]


def join(kernels, *runs, low=-(2**63), high=2**63 - 1):
    """(time, total) of each run of counter samples."""
    samples = [sample for run in runs for sample in run]
    starts = np.cumsum([0, *map(len, runs)]).astype(np.int64)
    times, values = np.array([t for t, _ in samples], np.int64), np.array([v for _, v in samples], np.float64)
    index, kept = np.empty(len(samples), np.int64), np.empty(len(runs) + 1, np.int64)
    kernels.order.join_counters(starts, times, low, high, values, index, kept)
    picked = [(int(times[i]), float(values[i])) for i in index[: kept[-1]]]
    return [picked[kept[run] : kept[run + 1]] for run in range(len(runs))]


def test_counters_are_joined_as_the_format_says(kernels):
    first = [(0, 10.0), (299, 24.0), (600, 27.0), (600, 7.0)]  # 10 -> 20 -> 4 (reset) -> 7
    second = [(610, 9.0), (899, 12.0), (899, 12.0)]
    assert join(kernels, first + second) == [[(0, 10.0), (299, 24.0), (600, 27.0), (610, 29.0), (899, 32.0)]]


def test_a_reset_between_counter_chunks_counts_from_zero(kernels):
    assert join(kernels, [(0, 10.0), (5, 20.0), (5, 20.0), (6, 3.0), (7, 5.0)]) == [
        [(0, 10.0), (5, 20.0), (6, 23.0), (7, 25.0)]
    ]


def test_older_samples_and_nans_are_passed_over(kernels):
    assert join(kernels, [(0, math.nan), (5, 1.0), (4, 9.0), (6, math.nan), (7, 2.0)]) == [[(5, 1.0), (7, 2.0)]]


def test_each_series_is_joined_on_its_own_and_cut_to_the_range(kernels):
    assert join(kernels, [(0, 1.0), (5, 2.0)], [], [(1, 7.0), (6, 6.0)], low=5, high=6) == [
        [(5, 2.0)],
        [],
        [(6, 13.0)],
    ]


# --- encoding ---


@pytest.mark.parametrize("samples", KINDS.values(), ids=KINDS)
def test_chunks_are_encoded_as_the_kit_does(kernels, samples):
    chunks = encode_samples(samples)
    columns = decoded(kernels, chunks)
    made = encode(kernels, columns, *order(kernels, columns, [0, len(columns.times)]))
    assert made == [replace(chunk, data=without_reset(chunk)) for chunk in chunks]


def without_reset(chunk):
    """Whether a counter was reset before a chunk is not known once chunks were put together."""
    reset = chunk.encoding > 1 and reset_flags(chunk.data) == RESET
    return chunk.data[:2] + b"\0" + chunk.data[3:] if reset else chunk.data


@given(chunks=st.lists(raw_chunks(), min_size=1, max_size=5), per_chunk=st.integers(1, 7))
def test_what_was_put_in_order_and_encoded_decodes_to_the_same(kernels, chunks, per_chunk):
    columns = decoded(kernels, chunks)
    index, kept = order(kernels, columns, [0, len(columns.times)])
    made = encode(kernels, columns, index, kept, per_chunk)
    assert comparable(obvious(made)) == comparable(samples_of(columns, index))
    for chunk in made:
        samples = decode_chunk(chunk.encoding, chunk.data)
        assert (chunk.min_time, chunk.max_time) == (samples[0][0], samples[-1][0])
        assert len(samples) <= per_chunk


@given(samples=st.one_of(float_samples(200), histogram_samples(60)))
def test_long_runs_are_cut_where_the_kit_cuts_them(kernels, samples):
    chunks = encode_samples(samples, 7)
    columns = decoded(kernels, chunks)
    found = encode(kernels, columns, *order(kernels, columns, [0, len(columns.times)]), 120)
    assert comparable(obvious(found)) == comparable(samples)


def test_a_falling_counter_begins_a_new_chunk(kernels):
    samples = [(1, HISTOGRAMS[5][1]), (2, HISTOGRAMS[6][1]), (3, HISTOGRAMS[4][1]), (4, HISTOGRAMS[5][1])]
    for kind in (samples, [(t, histogram.to_float()) for t, histogram in samples]):
        columns = decoded(kernels, encode_samples(kind, 1))
        made = encode(kernels, columns, *order(kernels, columns, [0, 4]))
        assert [(chunk.min_time, chunk.max_time) for chunk in made] == [(1, 2), (3, 4)]


def test_gauges_may_fall_within_a_chunk_and_stay_gauges(kernels):
    chunks = [RawChunk(t, t, 2, encode_histogram([(t, h)])) for t, h in GAUGES[:1]]
    chunks.append(
        RawChunk(
            9, 9, 2, encode_histogram([(9, Histogram(2, 1, 0, 2, 2.0**-128, ((-4, 1),), (), (1,), is_gauge=True))])
        )
    )
    columns = decoded(kernels, chunks)
    (made,) = encode(kernels, columns, *order(kernels, columns, [0, 2]))
    assert reset_flags(made.data) == GAUGE


def test_an_output_that_is_too_small_is_told(kernels):
    columns = decoded(kernels, encode_samples(HISTOGRAMS))
    index, kept = order(kernels, columns, [0, 9])
    size, _ = kernels.encode.encode_chunks(
        columns.data, columns.table, columns.starts, kept, index, columns.times, columns.values, columns.rows,
        columns.layouts, columns.numbers, columns.scratch, 120, np.zeros(50, np.uint8), np.empty((9, 7), np.int64),
    )  # fmt: skip
    assert size == -1


def test_a_layout_of_a_large_zero_threshold_keeps_its_bits(kernels):
    (threshold,) = struct.unpack(">d", bytes.fromhex("3fd5555555555555"))
    samples = [(1, Histogram(1, 1, 0.5, 0, threshold))]
    columns = decoded(kernels, encode_samples(samples))
    assert comparable(samples_of(columns)) == comparable(samples)
