"""The plain chunk encoders and decoders, against bytes that Prometheus and Thanos wrote."""

from __future__ import annotations

import math
import random

import pytest

from storegate.errors import CorruptError
from storegate.testing.chunks import (
    AGGR,
    CUSTOM_BOUNDS,
    FLOAT_HISTOGRAM,
    GAUGE,
    HISTOGRAM,
    RESET,
    STALE,
    UNKNOWN,
    XOR,
    Histogram,
    build_aggregate,
    comparable,
    decode_chunk,
    decode_histogram,
    decode_xor,
    downsample,
    encode_histogram,
    encode_samples,
    encode_xor,
    reset_flags,
    split_aggregate,
)
from storegate.testing.crc32c import crc32c, crc32c_by_table

T0 = 1600000000000
SEGMENT = bytes.fromhex(
    "85bd40dd010000001c0100048080f4f6905d3ff00000000000009875c267ffa00281f4d42780d366feef160100038080f4f6905d0000"
    "0000000000009875309b00104d62f420170100038080f4f6905d3ff0000000000000e0d4033115ff80590cc99b"
)
FLOAT_CHUNKS = [
    (SEGMENT[0x0A:0x26], [(T0, 1.0), (T0 + 15000, 3.0), (T0 + 30000, 6.0), (T0 + 45500, 10.0)]),
    (SEGMENT[0x2C:0x42], [(T0, 0.0), (T0 + 15000, 0.0), (T0 + 30000, 2.5)]),
    (SEGMENT[0x48:0x5F], [(T0, 1.0), (T0 + 60000, 1.0), (T0 + 120000, 0.0)]),
]
AGGREGATES = bytes.fromhex(
    "85bd40dd010000009001ff18010002beb7a2a3905d40080000000000008192a246c267ff8017010002beb7a2a3905d40410000000000"
    "008192a246d23dd016010002beb7a2a3905d40100000000000008192a246d81616010002beb7a2a3905d40340000000000008192a246"
    "d41d2b01000480e8fda2905d4024000000000000dfa712d61ff0000000008c3f522dc17fffffffffee6eedffa869c0e28c78ea"
)[11:-4]
HISTOGRAM_AGGREGATES = bytes.fromhex(
    "85bd40dd010000008601ff10010001e0e3d9b5bf68400000000000000037030001c0748c647f0000d0fdad9c7820170000000000001f"
    "f80000000000002014800000000000200a00000000000020110000000000000000003703000140748c647f0000d0fdad9c7820110000"
    "000000001ff800000000000020138000000000002004000000000000200a0000000000000073ab00c8"
)[11:-4]
CUSTOM = bytes.fromhex(
    "00040000ee5c664ede9c520e6e6b2800000007f0000d1022c0e245c000000000000000128dfe0ea626c467fec4184bffe06c0e80"
)
FLOATS = bytes.fromhex(
    "00050000946527f0000d1022c0e242012000000000000000000000000000000000000000000002008000000000000200c00000000000"
    "07c1d4c6c0fb119ffbb41ea0fb589ac25fffd817b41b705b60767605b6875ac4dd427c80"
)
NO_BUCKETS = bytes.fromhex("0004c0ff3fd33333333333331fc00034408b0389189c4a0060000000000007c1d4c5ee00")
BOTH_SIGNS = bytes.fromhex(
    "000500748ca48ce32bff0000d1022c0e2466c7fe00000000000013961691f83a99c2cb09fff5e21620022091a49ec82c417000"
)
H0 = 1795369213000
CUSTOM_BUCKETS = {"schema": CUSTOM_BOUNDS, "positive_spans": ((0, 3),), "custom_bounds": (0.005, 2.5, 1e9)}
FLOAT_BUCKETS = {"schema": 2, "positive_spans": ((2, 2),), "is_float": True}
GAUGE_BUCKETS = {"zero_threshold": 0.3, "is_gauge": True}
SIGNED_BUCKETS = {
    "schema": 1,
    "zero_threshold": 2.0**-128,
    "positive_spans": ((0, 2), (3, 1)),
    "negative_spans": ((-1, 2),),
}
HISTOGRAM_CHUNKS = [
    pytest.param(
        HISTOGRAM,
        CUSTOM,
        4,
        [
            (0, H0, Histogram(7, 0, 0.0, positive=(2, 1, -1), **CUSTOM_BUCKETS)),
            (1, H0 + 15000, Histogram(10, 0, 1.25, positive=(3, 1, -1), **CUSTOM_BUCKETS)),
            (3, H0 + 45000, Histogram(16, 0, 3.75, positive=(5, 1, -1), **CUSTOM_BUCKETS)),
        ],
        id="custom-bounds",
    ),
    pytest.param(
        FLOAT_HISTOGRAM,
        FLOATS,
        5,
        [
            (0, H0, Histogram(10, 0, 0.0, positive=(4, 6), **FLOAT_BUCKETS)),
            (1, H0 + 15000, Histogram(13, 0, 1.25, positive=(5, 8), **FLOAT_BUCKETS)),
            (4, H0 + 60000, Histogram(22, 0, 5, positive=(8, 14), **FLOAT_BUCKETS)),
        ],
        id="float",
    ),
    pytest.param(
        HISTOGRAM,
        NO_BUCKETS,
        4,
        [
            (0, H0, Histogram(9, 9, 3.5, **GAUGE_BUCKETS)),
            (1, H0 + 15000, Histogram(8, 8, 3.5, **GAUGE_BUCKETS)),
            (3, H0 + 45000, Histogram(6, 6, 3.5, **GAUGE_BUCKETS)),
        ],
        id="gauge-without-buckets",
    ),
    pytest.param(
        HISTOGRAM,
        BOTH_SIGNS,
        5,
        [
            (0, H0, Histogram(27, 0, 1.0, positive=(3, 2, 5), negative=(4, 1), **SIGNED_BUCKETS)),
            (1, H0 + 15001, Histogram(32, 2, 11.5, positive=(4, 2, 5), negative=(4, 1), **SIGNED_BUCKETS)),
            (4, H0 + 60000, Histogram(47, 8, 43.0, positive=(7, 2, 5), negative=(4, 1), **SIGNED_BUCKETS)),
        ],
        id="both-signs",
    ),
]
STALE_SAMPLE = Histogram(sum=STALE)


def test_crc32c_has_the_check_value_of_castagnoli() -> None:
    assert crc32c(b"123456789") == crc32c_by_table(b"123456789") == 0xE3069283


@pytest.mark.parametrize(("data", "samples"), FLOAT_CHUNKS)
def test_xor_chunks_of_prometheus_decode_to_their_samples(data: bytes, samples: list[tuple[int, float]]) -> None:
    assert decode_xor(data) == samples


@pytest.mark.parametrize(("data", "samples"), FLOAT_CHUNKS)
def test_xor_chunks_are_encoded_as_prometheus_does(data: bytes, samples: list[tuple[int, float]]) -> None:
    assert encode_xor(samples) == data


def test_a_spare_zero_byte_of_older_writers_is_no_harm() -> None:
    data, samples = FLOAT_CHUNKS[0]
    assert decode_xor(data + b"\0") == samples


@pytest.mark.parametrize("change", [0, -8191, 8192, -65535, 65536, -524287, 524288, -524288, 524289, 2**40])
def test_every_width_of_a_time_change_comes_back(change: int) -> None:
    samples = [(0, 1.0), (10**9, 1.0), (2 * 10**9 + change, 1.0), (3 * 10**9, 1.0)]
    assert decode_xor(encode_xor(samples)) == samples


def test_odd_floats_come_back_bit_by_bit() -> None:
    values = [0.0, -0.0, STALE, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, 1.0, 1.0]
    samples = list(enumerate(values))
    assert comparable(decode_xor(encode_xor(samples))) == comparable(samples)


def test_times_may_run_backwards() -> None:
    samples = [(5, 1.0), (3, 2.0), (-7, 3.0)]
    assert decode_xor(encode_xor(samples)) == samples


@pytest.mark.parametrize("size", range(28))
def test_a_truncated_xor_chunk_is_refused(size: int) -> None:
    with pytest.raises(CorruptError):
        decode_xor(FLOAT_CHUNKS[0][0][:size])


def test_a_bit_window_that_was_never_set_is_refused() -> None:
    data = bytes.fromhex("0002" + "00" + "00" * 8 + "01" + "80")
    with pytest.raises(CorruptError, match="bit window"):
        decode_xor(data)


def test_a_bit_window_beyond_64_bits_is_refused() -> None:
    data = bytes.fromhex("0002" + "00" + "00" * 8 + "01" + "ffff" + "00" * 8)
    with pytest.raises(CorruptError, match="exceed 64"):
        decode_xor(data)


@pytest.mark.parametrize(("encoding", "data", "count", "some"), HISTOGRAM_CHUNKS)
def test_histogram_chunks_of_prometheus_decode_to_their_samples(
    encoding: int, data: bytes, count: int, some: list[tuple[int, int, Histogram]]
) -> None:
    samples = decode_chunk(encoding, data)
    assert len(samples) == count
    assert [(index, *samples[index]) for index, _, _ in some] == some


@pytest.mark.parametrize(("encoding", "data", "count", "some"), HISTOGRAM_CHUNKS)
def test_histogram_chunks_are_encoded_as_prometheus_does(
    encoding: int, data: bytes, count: int, some: list[tuple[int, int, Histogram]]
) -> None:
    assert encode_histogram(decode_histogram(data, is_float=encoding == FLOAT_HISTOGRAM)) == data


@pytest.mark.parametrize(("encoding", "data", "count", "some"), HISTOGRAM_CHUNKS)
def test_a_truncated_histogram_chunk_is_refused(
    encoding: int, data: bytes, count: int, some: list[tuple[int, int, Histogram]]
) -> None:
    for size in range(len(data) - 1):
        with pytest.raises(CorruptError):
            decode_chunk(encoding, data[:size])


def test_the_flags_of_a_gauge_are_read() -> None:
    assert reset_flags(NO_BUCKETS) == GAUGE


@pytest.mark.parametrize("is_float", [False, True])
@pytest.mark.parametrize("stale_first", [False, True])
def test_stale_histograms_come_back(is_float: bool, stale_first: bool) -> None:
    alive = Histogram(3, 1, 4.5, positive_spans=((0, 2),), positive=(1, 0), is_float=is_float)
    stale = Histogram(sum=STALE, is_float=is_float)
    samples = [(1000, stale), (2000, stale)] if stale_first else [(1000, alive), (2000, alive), (3000, stale)]
    decoded = decode_histogram(encode_histogram(samples), is_float=is_float)
    assert comparable(decoded) == comparable(samples)


@pytest.mark.parametrize("schema", [-10, 53])
def test_an_unknown_histogram_schema_is_refused(schema: int) -> None:
    data = encode_histogram([(0, Histogram(schema=schema))])
    with pytest.raises(CorruptError, match="schema"):
        decode_histogram(data, is_float=False)


def test_histograms_of_two_layouts_do_not_share_a_chunk() -> None:
    with pytest.raises(ValueError, match="another layout"):
        encode_histogram([(0, Histogram(schema=1)), (1, Histogram(schema=2))])


def test_aggregates_of_thanos_are_split() -> None:
    slots = {name: (encoding, decode_xor(data)) for name, (encoding, data) in split_aggregate(AGGREGATES).items()}
    window, last = 1599912299999, 1600059660000
    assert slots == {
        "count": (XOR, [(window, 3), (last, 1)]),
        "sum": (XOR, [(window, 34), (last, 7)]),
        "min": (XOR, [(window, 4), (last, 7)]),
        "max": (XOR, [(window, 20), (last, 7)]),
        "counter": (XOR, [(1599912000000, 10), (window, 24), (last, 27), (last, 7)]),
    }


def test_floats_are_downsampled_as_thanos_does() -> None:
    samples = [(1599912000000, 10.0), (1599912060000, 20.0), (1599912120000, 4.0), (1600059660000, 7.0)]
    (chunk,) = downsample(samples, 300000)
    assert (chunk.min_time, chunk.max_time, chunk.encoding) == (1599912299999, 1600059660000, AGGR)
    assert chunk.data == AGGREGATES


def test_stale_and_other_nans_are_left_out_of_aggregates() -> None:
    samples = [(0, 1.0), (60000, STALE), (120000, math.nan), (180000, 3.0)]
    (chunk,) = downsample(samples, 300000)
    assert decode_xor(split_aggregate(chunk.data)["count"][1]) == [(180000, 2.0)]


def test_an_aggregate_chunk_holds_at_most_140_windows() -> None:
    samples = [(minute * 60000, 1.0) for minute in range(141 * 5)]
    assert [len(decode_xor(split_aggregate(chunk.data)["sum"][1])) for chunk in downsample(samples, 300000)] == [140, 1]


def test_aggregates_of_histograms_lack_min_and_max() -> None:
    slots = split_aggregate(HISTOGRAM_AGGREGATES)
    assert {name: encoding for name, (encoding, _) in slots.items()} == {
        "count": XOR,
        "sum": FLOAT_HISTOGRAM,
        "counter": FLOAT_HISTOGRAM,
    }


def test_histograms_are_downsampled_to_count_sum_and_counter() -> None:
    spans = {"positive_spans": ((0, 2),)}
    samples = [
        (0, Histogram(3, 1, 1.0, positive=(1, 0), **spans)),
        (60000, Histogram(5, 1, 2.0, positive=(2, 0), **spans)),
    ]
    (chunk,) = downsample(samples, 300000)
    slots = {name: decode_chunk(*slot) for name, slot in split_aggregate(chunk.data).items()}
    added = Histogram(8, 2, 3.0, positive=(3, 3), is_float=True, is_gauge=True, **spans)
    last = Histogram(5, 1, 2.0, positive=(2, 2), is_float=True, **spans)
    assert slots == {"count": [(60000, 2)], "sum": [(60000, added)], "counter": [(60000, last)]}


def test_any_aggregate_may_be_missing() -> None:
    data = build_aggregate(min=(XOR, b"abc"))
    assert data == b"\0\0\x03\x01abc\0\0"
    assert split_aggregate(data) == {"min": (XOR, b"abc")}


def test_an_unknown_aggregate_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="average"):
        build_aggregate(average=(XOR, b"abc"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\0",
        b"\0\0\0\0\0\0",
        b"\x05\x01abc",
        b"\x01\xffa\0\0\0\0",
        b"\x01\x00a\0\0\0\0",
        b"\xff" * 11,
    ],
)
def test_damaged_aggregates_are_refused(data: bytes) -> None:
    with pytest.raises(CorruptError):
        split_aggregate(data)


def test_samples_are_cut_into_chunks_by_number() -> None:
    chunks = encode_samples([(t, 1.0) for t in range(250)], 120)
    assert [(chunk.min_time, chunk.max_time) for chunk in chunks] == [(0, 119), (120, 239), (240, 249)]


def test_each_change_of_kind_or_layout_begins_a_chunk() -> None:
    integer, wide = Histogram(1, 1), Histogram(1, 1, schema=3)
    samples = [(0, 1.0), (1, integer), (2, STALE_SAMPLE), (3, integer), (4, wide), (5, wide.to_float()), (6, 2.0)]
    encodings = [chunk.encoding for chunk in encode_samples(samples)]
    assert encodings == [XOR, HISTOGRAM, HISTOGRAM, HISTOGRAM, FLOAT_HISTOGRAM, XOR]


def test_a_falling_histogram_counter_begins_a_chunk_with_a_reset() -> None:
    chunks = encode_samples([(0, Histogram(5, 5)), (1, Histogram(6, 6)), (2, Histogram(1, 1))])
    assert [reset_flags(chunk.data) for chunk in chunks] == [UNKNOWN, RESET]


def test_random_histograms_come_back() -> None:
    source = random.Random(7)
    spans = ((-3, 2), (4, 3))
    for is_float in (False, True):
        count = 0
        samples = []
        for index in range(50):
            count += source.choice([0, 1, 7, 200, 5000, 10**6, 10**12])
            buckets = tuple(source.choice([0, 3, -40, 900, -(10**7)]) for _ in range(5))
            histogram = Histogram(
                count, count // 2, source.uniform(-1e9, 1e9), 3, 0.25, spans, (), buckets, is_float=is_float
            )
            samples.append((index * 15000 + source.randrange(100), histogram))
        assert decode_histogram(encode_histogram(samples), is_float=is_float) == samples
