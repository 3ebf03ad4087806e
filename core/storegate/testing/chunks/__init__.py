"""Encoders and decoders of TSDB chunk data, in plain Python: the measure that faster code is compared with.

Float samples are `(t, float)`, native histograms `(t, Histogram)`; t is in ms.
"""

from __future__ import annotations

from collections.abc import Sequence

from storegate.errors import CorruptError
from storegate.testing.chunks.aggregate import (
    AGGR,
    AGGREGATES,
    FLOAT_HISTOGRAM,
    HISTOGRAM,
    XOR,
    RawChunk,
    build_aggregate,
    downsample_floats,
    downsample_histograms,
    split_aggregate,
)
from storegate.testing.chunks.bits import float_bits
from storegate.testing.chunks.cutting import Sample, downsample, encode_samples
from storegate.testing.chunks.histogram import (
    CUSTOM_BOUNDS,
    GAUGE,
    NO_RESET,
    RESET,
    UNKNOWN,
    Histogram,
    decode_histogram,
    encode_histogram,
    reset_flags,
)
from storegate.testing.chunks.xor import STALE, decode_xor, encode_xor


def decode_chunk(encoding: int, data: bytes) -> Sequence[Sample]:
    """The samples of an XOR, HISTOGRAM or FLOAT_HISTOGRAM chunk. Raises CorruptError."""
    if encoding == XOR:
        return decode_xor(data)
    if encoding in (HISTOGRAM, FLOAT_HISTOGRAM):
        return decode_histogram(data, is_float=encoding == FLOAT_HISTOGRAM)
    raise CorruptError(f"chunk encoding {encoding} holds no samples that can be decoded")


def comparable(samples: Sequence[Sample]) -> list[tuple[object, ...]]:
    """The samples with every float as its bits, so that NaNs equal themselves and -0.0 differs from 0.0."""
    return [(t, *_comparable(value)) for t, value in samples]


def _comparable(value: float | Histogram) -> tuple[object, ...]:
    if not isinstance(value, Histogram):
        return (float_bits(value),)
    return (*value.layout, float_bits(value.sum), *(float_bits(counter) for counter in value.counters))


__all__ = [
    "AGGR",
    "AGGREGATES",
    "CUSTOM_BOUNDS",
    "FLOAT_HISTOGRAM",
    "GAUGE",
    "HISTOGRAM",
    "NO_RESET",
    "RESET",
    "STALE",
    "UNKNOWN",
    "XOR",
    "Histogram",
    "RawChunk",
    "Sample",
    "build_aggregate",
    "comparable",
    "decode_chunk",
    "decode_histogram",
    "decode_xor",
    "downsample",
    "downsample_floats",
    "downsample_histograms",
    "encode_histogram",
    "encode_samples",
    "encode_xor",
    "float_bits",
    "reset_flags",
    "split_aggregate",
]
