"""HISTOGRAM and FLOAT_HISTOGRAM chunks: native histograms as `(t, Histogram)` (TSDB chunk encodings 2 and 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from storegate.errors import CorruptError
from storegate.testing.chunks.bits import BitReader, BitWriter, bits_float, float_bits
from storegate.testing.chunks.xor import STALE, ValueReader, ValueWriter
from storegate.testing.varint import signed64

CUSTOM_BOUNDS = -53
"""The schema of histograms whose bucket bounds are listed."""

UNKNOWN, NO_RESET, RESET, GAUGE = 0x00, 0x40, 0x80, 0xC0
"""Values of the flags byte: what is known about a counter reset before the chunk."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """One native histogram.

    Spans are `(offset, length)` pairs. Integer histograms hold each bucket as the difference to its neighbour (the
    first one absolute), as chunks do; float histograms hold absolute values and floats for both counts.
    """

    count: float = 0
    zero_count: float = 0
    sum: float = 0.0
    schema: int = 0
    zero_threshold: float = 0.0
    positive_spans: tuple[tuple[int, int], ...] = ()
    negative_spans: tuple[tuple[int, int], ...] = ()
    positive: tuple[float, ...] = ()
    negative: tuple[float, ...] = ()
    custom_bounds: tuple[float, ...] = ()
    is_float: bool = False
    is_gauge: bool = False

    @property
    def layout(self) -> tuple[object, ...]:
        """What all histograms of one chunk share."""
        spans = (self.positive_spans, self.negative_spans)
        return (self.is_float, self.is_gauge, self.schema, self.zero_threshold, *spans, self.custom_bounds)

    @property
    def is_stale(self) -> bool:
        """Whether this marks the end of the series."""
        return float_bits(self.sum) == float_bits(STALE)

    @property
    def counters(self) -> tuple[float, ...]:
        """Count, zero count and buckets, in the order of the chunk."""
        return (self.count, self.zero_count, *self.positive, *self.negative)

    def to_float(self) -> Histogram:
        """The same histogram with absolute float buckets."""
        if self.is_float:
            return self
        positive, negative = _absolute(self.positive), _absolute(self.negative)
        count, zero_count = float(self.count), float(self.zero_count)
        return replace(self, is_float=True, count=count, zero_count=zero_count, positive=positive, negative=negative)


def _absolute(deltas: Sequence[float]) -> tuple[float, ...]:
    values, value = [], 0.0
    for delta in deltas:
        value += delta
        values.append(value)
    return tuple(values)


def encode_histogram(samples: Sequence[tuple[int, Histogram]], flags: int | None = None) -> bytes:
    """The data of a chunk with 1 to 65535 samples, all integer or all float, of one layout.

    Stale samples (see `Histogram.is_stale`) fit any layout and may only come last. `flags` None: GAUGE for gauges, else
    UNKNOWN. Raises ValueError.
    """
    out = BitWriter()
    out.write(len(samples), 16)
    first = samples[0][1]
    out.write((GAUGE if first.is_gauge else UNKNOWN) if flags is None else flags, 8)
    _check_layouts(samples)
    _write_layout(out, Histogram(is_float=first.is_float) if first.is_stale else first)
    if first.is_float:
        _write_floats(out, samples)
    else:
        _write_integers(out, samples)
    return out.finish()


def _check_layouts(samples: Sequence[tuple[int, Histogram]]) -> None:
    first = samples[0][1]
    stale = False
    for t, histogram in samples:
        if stale and not histogram.is_stale:
            raise ValueError(f"the sample at {t} follows a stale one: begin a new chunk")
        stale = histogram.is_stale
        if not stale and histogram.layout != first.layout:
            raise ValueError(f"the histogram at {t} has another layout than the first of its chunk: begin a new chunk")
        if not stale and len(histogram.counters) != 2 + _buckets(first.positive_spans) + _buckets(first.negative_spans):
            raise ValueError(f"the histogram at {t} has another number of buckets than its spans say")


def _buckets(spans: Sequence[tuple[int, int]]) -> int:
    return sum(length for _, length in spans)


def _write_layout(out: BitWriter, histogram: Histogram) -> None:
    _write_zero_threshold(out, histogram.zero_threshold)
    out.write_vbi(histogram.schema)
    for spans in (histogram.positive_spans, histogram.negative_spans):
        out.write_vbu(len(spans))
        for offset, length in spans:
            out.write_vbu(length)
            out.write_vbi(offset)
    if histogram.schema == CUSTOM_BOUNDS:
        out.write_vbu(len(histogram.custom_bounds))
        for bound in histogram.custom_bounds:
            _write_bound(out, bound)


def _write_zero_threshold(out: BitWriter, threshold: float) -> None:
    fraction, exponent = math.frexp(threshold)
    if threshold == 0:
        out.write(0, 8)
    elif fraction == 0.5 and -242 <= exponent <= 11:
        out.write(exponent + 243, 8)
    else:
        out.write(0xFF, 8)
        out.write(float_bits(threshold), 64)


def _write_bound(out: BitWriter, bound: float) -> None:
    thousandths = bound * 1000
    if 0 <= thousandths <= 33554430 and thousandths == int(thousandths):
        out.write_vbu(int(thousandths) + 1)
    else:
        out.write_vbu(0)
        out.write(float_bits(bound), 64)


def _write_integers(out: BitWriter, samples: Sequence[tuple[int, Histogram]]) -> None:
    sums = ValueWriter(out)
    previous: list[int] = []
    deltas: list[int] = []
    for index, (t, histogram) in enumerate(samples):
        counters = (0, 0) if histogram.is_stale else histogram.counters
        numbers = [t, *(int(counter) for counter in counters)]
        if index == 0:
            previous, deltas = numbers, [0] * len(numbers)
            out.write_vbi(t)
            out.write_vbu(numbers[1])
            out.write_vbu(numbers[2])
            sums.first(histogram.sum)
            for number in numbers[3:]:
                out.write_vbi(number)
            continue
        for place, number in enumerate(numbers):
            if place == 3:
                sums.next(histogram.sum)
            delta = number - previous[place]
            out.write_vbi(delta - deltas[place])
            previous[place], deltas[place] = number, delta
        if len(numbers) == 3:
            sums.next(histogram.sum)


def _write_floats(out: BitWriter, samples: Sequence[tuple[int, Histogram]]) -> None:
    sums = ValueWriter(out)
    writers: list[ValueWriter] = []
    previous, delta = 0, 0
    for index, (t, histogram) in enumerate(samples):
        counters = (0.0, 0.0) if histogram.is_stale else histogram.counters
        if index == 0:
            writers = [ValueWriter(out) for _ in counters]
            out.write_vbi(t)
        else:
            out.write_vbi(t - previous - delta)
            delta = t - previous
        previous = t
        for place, (writer, counter) in enumerate(zip(writers, counters, strict=False)):
            if place == 2:
                _write_value(sums, histogram.sum, index)
            _write_value(writer, counter, index)
        if len(counters) == 2:
            _write_value(sums, histogram.sum, index)


def _write_value(writer: ValueWriter, value: float, index: int) -> None:
    if index == 0:
        writer.first(value)
    else:
        writer.next(value)


def reset_flags(data: bytes) -> int:
    """The flags byte of a chunk's data: UNKNOWN, NO_RESET, RESET or GAUGE."""
    if len(data) < 3:
        raise CorruptError(f"a histogram chunk of {len(data)} bytes has no flags")
    return data[2]


def decode_histogram(data: bytes, *, is_float: bool) -> list[tuple[int, Histogram]]:
    """The samples of a HISTOGRAM or (`is_float`) FLOAT_HISTOGRAM chunk. Raises CorruptError."""
    source = BitReader(data)
    count = source.read(16)
    flags = source.read(8)
    layout = replace(_read_layout(source, is_float), is_gauge=flags & GAUGE == GAUGE)
    read = _read_floats if is_float else _read_integers
    return read(source, count, layout)


def _read_layout(source: BitReader, is_float: bool) -> Histogram:
    threshold = _read_zero_threshold(source)
    schema = source.read_vbi()
    if schema != CUSTOM_BOUNDS and not -9 <= schema <= 52:
        raise CorruptError(f"histogram schema {schema} is unknown")
    positive, negative = _read_spans(source), _read_spans(source)
    bounds: tuple[float, ...] = ()
    if schema == CUSTOM_BOUNDS:
        bounds = tuple(_read_bound(source) for _ in range(_checked(source, source.read_vbu(), "custom bounds")))
    return Histogram(
        schema=schema, zero_threshold=threshold, positive_spans=positive, negative_spans=negative,
        custom_bounds=bounds, is_float=is_float,
    )  # fmt: skip


def _checked(source: BitReader, count: int, what: str) -> int:
    if count > source.remaining():
        raise CorruptError(f"a histogram chunk cannot hold {count} {what} in its {source.remaining()} bits left")
    return count


def _read_zero_threshold(source: BitReader) -> float:
    code = source.read(8)
    if code == 0:
        return 0.0
    return bits_float(source.read(64)) if code == 0xFF else math.ldexp(0.5, code - 243)


def _read_spans(source: BitReader) -> tuple[tuple[int, int], ...]:
    spans = []
    for _ in range(_checked(source, source.read_vbu(), "spans")):
        length = source.read_vbu()
        spans.append((source.read_vbi(), length))
    return tuple(spans)


def _read_bound(source: BitReader) -> float:
    thousandths = source.read_vbu()
    return bits_float(source.read(64)) if thousandths == 0 else (thousandths - 1) / 1000


def _read_integers(source: BitReader, count: int, layout: Histogram) -> list[tuple[int, Histogram]]:
    positive = _checked(source, _buckets(layout.positive_spans), "buckets")
    buckets = positive + _checked(source, _buckets(layout.negative_spans), "buckets")
    sums = ValueReader(source)
    samples = []
    numbers: list[int] = []
    deltas = [0] * (3 + buckets)
    for index in range(count):
        if index == 0:
            numbers = [source.read_vbi(), source.read_vbu(), source.read_vbu()]
            total = sums.first()
            stale = float_bits(total) == float_bits(STALE)
            numbers += [0 if stale else source.read_vbi() for _ in range(buckets)]
        else:
            _step(source, numbers, deltas, range(3))
            total = sums.next()
            stale = float_bits(total) == float_bits(STALE)
            if not stale:
                _step(source, numbers, deltas, range(3, 3 + buckets))
        samples.append((numbers[0], _histogram(layout, total, numbers[1:], positive, stale)))
    return samples


def _step(source: BitReader, numbers: list[int], deltas: list[int], places: range) -> None:
    for place in places:
        deltas[place] = signed64(deltas[place] + source.read_vbi())
        numbers[place] = signed64(numbers[place] + deltas[place])


def _read_floats(source: BitReader, count: int, layout: Histogram) -> list[tuple[int, Histogram]]:
    positive = _checked(source, _buckets(layout.positive_spans), "buckets")
    buckets = positive + _checked(source, _buckets(layout.negative_spans), "buckets")
    sums = ValueReader(source)
    readers = [ValueReader(source) for _ in range(2 + buckets)]
    samples = []
    time, delta = 0, 0
    for index in range(count):
        if index == 0:
            time = source.read_vbi()
        else:
            delta = signed64(delta + source.read_vbi())
            time = signed64(time + delta)
        counters = [_read_value(reader, index) for reader in readers[:2]]
        total = _read_value(sums, index)
        stale = float_bits(total) == float_bits(STALE)
        if not stale:
            counters += [_read_value(reader, index) for reader in readers[2:]]
        samples.append((time, _histogram(layout, total, counters, positive, stale)))
    return samples


def _read_value(reader: ValueReader, index: int) -> float:
    return reader.first() if index == 0 else reader.next()


def _histogram(layout: Histogram, total: float, counters: Sequence[float], positive: int, stale: bool) -> Histogram:
    if stale:
        return Histogram(sum=total, is_float=layout.is_float, is_gauge=layout.is_gauge)
    buckets = tuple(counters[2:])
    return replace(
        layout, count=counters[0], zero_count=counters[1], sum=total,
        positive=buckets[:positive], negative=buckets[positive:],
    )  # fmt: skip
