"""AGGR chunks of downsampled blocks: five aggregates of the same windows in one chunk (TSDB chunk encoding 255)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from storegate.errors import CorruptError
from storegate.testing.chunks.histogram import Histogram, encode_histogram
from storegate.testing.chunks.xor import encode_xor
from storegate.testing.varint import put_uvarint, read_uvarint

AGGREGATES = ("count", "sum", "min", "max", "counter")
"""The slots of a chunk, in order."""

XOR, HISTOGRAM, FLOAT_HISTOGRAM, AGGR = 1, 2, 3, 255
"""Chunk encodings, as stored."""

MAX_WINDOWS = 140
"""Windows of one chunk."""

Slot = tuple[int, bytes]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RawChunk:
    """One chunk ready to be stored: its closed time range (ms), encoding byte, and data."""

    min_time: int
    max_time: int
    encoding: int
    data: bytes


def build_aggregate(**slots: Slot | None) -> bytes:
    """The data of a chunk from `(encoding, data)` by the names of AGGREGATES; what is left out is missing."""
    unknown = set(slots) - set(AGGREGATES)
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))}: not an aggregate; known are {', '.join(AGGREGATES)}")
    out = bytearray()
    for name in AGGREGATES:
        slot = slots.get(name)
        out += put_uvarint(len(slot[1])) + bytes([slot[0]]) + slot[1] if slot else b"\0"
    return bytes(out)


def split_aggregate(data: bytes) -> dict[str, Slot]:
    """`(encoding, data)` of the aggregates that a chunk holds. Raises CorruptError."""
    slots: dict[str, Slot] = {}
    position = 0
    for name in AGGREGATES:
        length, position = read_uvarint(data, position)
        if length == 0:
            continue
        end = position + 1 + length
        if end > len(data):
            raise CorruptError(f"aggregate {name} of {length} bytes does not fit its chunk", offset=position)
        encoding = data[position]
        if encoding not in (XOR, HISTOGRAM, FLOAT_HISTOGRAM):
            raise CorruptError(f"aggregate {name} has encoding {encoding}", offset=position)
        slots[name] = (encoding, data[position + 1 : end])
        position = end
    if position != len(data):
        raise CorruptError(f"{len(data) - position} bytes follow the last aggregate", offset=position)
    return slots


def downsample_floats(samples: Sequence[tuple[int, float]], resolution: int) -> list[RawChunk]:
    """Chunks of a float series, one sample per window of `resolution` ms; NaNs are dropped first."""
    numbers = [(t, value) for t, value in samples if not math.isnan(value)]
    return [_float_chunk(batch, resolution) for batch in _batches(numbers, resolution)]


def downsample_histograms(samples: Sequence[tuple[int, Histogram]], resolution: int) -> list[RawChunk]:
    """Chunks of a native histogram series of one layout: count, sum and counter; stale samples are dropped first."""
    alive = [(t, histogram.to_float()) for t, histogram in samples if not histogram.is_stale]
    return [_histogram_chunk(batch, resolution) for batch in _batches(alive, resolution)]


def _windows(samples: Sequence[tuple[int, T]], resolution: int) -> Iterator[tuple[int, list[T]]]:
    """Per window: the time stamp of its sample, and what it aggregates."""
    last = samples[-1][0]
    values: list[T] = []
    end = 0
    for t, value in samples:
        if values and t > end:
            yield end, values
            values = []
        if not values:
            end = t - t % resolution + resolution - 1
        values.append(value)
    yield min(end, last), values


def _batches(samples: Sequence[tuple[int, T]], resolution: int) -> Iterator[list[tuple[int, T]]]:
    """Samples of at most MAX_WINDOWS whole windows each."""
    batch: list[tuple[int, T]] = []
    windows: set[int] = set()
    for t, value in samples:
        window = t // resolution
        if window not in windows and len(windows) == MAX_WINDOWS:
            yield batch
            batch, windows = [], set()
        windows.add(window)
        batch.append((t, value))
    if batch:
        yield batch


def _float_chunk(batch: Sequence[tuple[int, float]], resolution: int) -> RawChunk:
    windows = list(_windows(batch, resolution))
    slots = {
        "count": [(t, float(len(values))) for t, values in windows],
        "sum": [(t, float(sum(values))) for t, values in windows],
        "min": [(t, min(values)) for t, values in windows],
        "max": [(t, max(values)) for t, values in windows],
        "counter": _counter(batch, windows),
    }
    data = build_aggregate(**{name: (XOR, encode_xor(slot)) for name, slot in slots.items()})
    return RawChunk(windows[0][0], windows[-1][0], AGGR, data)


def _counter(batch: Sequence[tuple[int, float]], windows: Sequence[tuple[int, list[float]]]) -> list[tuple[int, float]]:
    """First raw sample, the running value with resets undone per window, then the last raw value at the last time."""
    previous = total = batch[0][1]
    samples = [batch[0]]
    for t, values in windows:
        for value in values:
            total += value - previous if value >= previous else value
            previous = value
        samples.append((t, total))
    samples.append((windows[-1][0], previous))
    return samples


def _histogram_chunk(batch: Sequence[tuple[int, Histogram]], resolution: int) -> RawChunk:
    windows = list(_windows(batch, resolution))
    count = [(t, float(len(values))) for t, values in windows]
    sums = [(t, _added(values)) for t, values in windows]
    counter = [(t, values[-1]) for t, values in windows]
    data = build_aggregate(
        count=(XOR, encode_xor(count)),
        sum=(FLOAT_HISTOGRAM, encode_histogram(sums)),
        counter=(FLOAT_HISTOGRAM, encode_histogram(counter)),
    )
    return RawChunk(windows[0][0], windows[-1][0], AGGR, data)


def _added(histograms: Sequence[Histogram]) -> Histogram:
    def column(name: str) -> tuple[float, ...]:
        return tuple(sum(values) for values in zip(*(getattr(h, name) for h in histograms), strict=True))

    return replace(
        histograms[0],
        is_gauge=True,
        count=sum(h.count for h in histograms),
        zero_count=sum(h.zero_count for h in histograms),
        sum=sum(h.sum for h in histograms),
        positive=column("positive"),
        negative=column("negative"),
    )
