"""Turns the samples of one series into chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from storegate.testing.chunks.aggregate import (
    FLOAT_HISTOGRAM,
    HISTOGRAM,
    XOR,
    RawChunk,
    downsample_floats,
    downsample_histograms,
)
from storegate.testing.chunks.histogram import GAUGE, RESET, UNKNOWN, Histogram, encode_histogram
from storegate.testing.chunks.xor import encode_xor

Sample = tuple[int, float] | tuple[int, Histogram]


def encode_samples(samples: Sequence[Sample], samples_per_chunk: int = 120) -> list[RawChunk]:
    """Chunks of at most `samples_per_chunk`, cut also where the kind or layout changes and where a counter falls."""
    chunks: list[RawChunk] = []
    previous: Sample | None = None
    for run in _runs(samples, samples_per_chunk):
        chunks.append(_encode(run, previous))
        previous = run[-1]
    return chunks


def downsample(samples: Sequence[Sample], resolution: int) -> list[RawChunk]:
    """Aggregate chunks (windows of `resolution` ms) of samples that are all floats, or histograms of one layout."""
    floats, histograms = _split(samples)
    if floats and histograms:
        raise ValueError("a series that holds floats and histograms cannot be downsampled")
    return downsample_histograms(histograms, resolution) if histograms else downsample_floats(floats, resolution)


def _split(samples: Sequence[Sample]) -> tuple[list[tuple[int, float]], list[tuple[int, Histogram]]]:
    floats: list[tuple[int, float]] = []
    histograms: list[tuple[int, Histogram]] = []
    for t, value in samples:
        if isinstance(value, Histogram):
            histograms.append((t, value))
        else:
            floats.append((t, value))
    return floats, histograms


def _runs(samples: Sequence[Sample], most: int) -> Iterator[list[Sample]]:
    run: list[Sample] = []
    for sample in samples:
        if run and (len(run) == most or not _fits(run, sample[1])):
            yield run
            run = []
        run.append(sample)
    if run:
        yield run


def _fits(run: Sequence[Sample], value: float | Histogram) -> bool:
    head, last = run[0][1], run[-1][1]
    if not (isinstance(head, Histogram) and isinstance(last, Histogram) and isinstance(value, Histogram)):
        return isinstance(head, Histogram) == isinstance(value, Histogram)
    if value.is_stale:
        return value.is_float == head.is_float
    return not last.is_stale and value.layout == head.layout and not _falls(last, value)


def _falls(before: float | Histogram, after: Histogram) -> bool:
    return isinstance(before, Histogram) and not after.is_gauge and not after.is_stale and after.count < before.count


def _encode(run: Sequence[Sample], previous: Sample | None) -> RawChunk:
    first, last = run[0][0], run[-1][0]
    floats, histograms = _split(run)
    if floats:
        return RawChunk(first, last, XOR, encode_xor(floats))
    head = histograms[0][1]
    flags = GAUGE if head.is_gauge else RESET if previous and _falls(previous[1], head) else UNKNOWN
    encoding = FLOAT_HISTOGRAM if head.is_float else HISTOGRAM
    return RawChunk(first, last, encoding, encode_histogram(histograms, flags))
