"""Samples, chunks, and small blocks of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from storegate.testing.block_writer import BlockOptions, PutTarget, WrittenBlock, write_block_raw
from storegate.testing.chunks import (
    AGGR,
    AGGREGATES,
    FLOAT_HISTOGRAM,
    HISTOGRAM,
    XOR,
    Histogram,
    RawChunk,
    build_aggregate,
    encode_histogram,
    encode_xor,
)
from storegate.testing.strategies.labels import external_label_sets, label_sets

TIME_SPAN = 1000
"""Times of generated blocks and requests lie in about 0 to this many ms."""


def float_samples(max_size: int = 6) -> st.SearchStrategy[list[tuple[int, float]]]:
    """Float samples with ascending times, any bit pattern a Python float can have."""
    values = st.one_of(st.floats(), st.integers(-5, 5).map(float))
    return st.lists(st.tuples(st.integers(0, TIME_SPAN), values), min_size=1, max_size=max_size).map(_ascending)


def histogram_samples(max_size: int = 4) -> st.SearchStrategy[list[tuple[int, Histogram]]]:
    """Integer or float histograms of one layout with ascending times."""
    return st.tuples(
        st.lists(st.tuples(st.integers(0, TIME_SPAN), st.integers(0, 10**6)), min_size=1, max_size=max_size).map(
            _ascending
        ),
        st.booleans(),
        st.integers(-4, 8),
        st.integers(0, 3),
    ).map(lambda parts: [(t, _histogram(count, *parts[1:])) for t, count in parts[0]])


def _histogram(count: int, is_float: bool, schema: int, buckets: int) -> Histogram:
    spans = ((schema, buckets),) if buckets else ()
    values = tuple((count + bucket) % 7 - 3 for bucket in range(buckets))
    return Histogram(count, count // 2, count / 3, schema, 0.0, spans, (), values, is_float=is_float)


def _ascending(samples: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    return sorted({t: (t, value) for t, value in samples}.values(), key=lambda sample: sample[0])


def raw_chunks() -> st.SearchStrategy[RawChunk]:
    """XOR, histogram and float histogram chunks."""
    return st.one_of(float_samples().map(_float_chunk), histogram_samples().map(_histogram_chunk))


def aggregate_chunks() -> st.SearchStrategy[RawChunk]:
    """AGGR chunks, any aggregate of which may be missing."""
    slots = st.dictionaries(st.sampled_from(AGGREGATES), float_samples(), max_size=len(AGGREGATES))
    return st.tuples(slots, float_samples()).map(_aggregate_chunk)


def _float_chunk(samples: list[tuple[int, float]]) -> RawChunk:
    return RawChunk(samples[0][0], samples[-1][0], XOR, encode_xor(samples))


def _histogram_chunk(samples: list[tuple[int, Histogram]]) -> RawChunk:
    encoding = FLOAT_HISTOGRAM if samples[0][1].is_float else HISTOGRAM
    return RawChunk(samples[0][0], samples[-1][0], encoding, encode_histogram(samples))


def _aggregate_chunk(parts: tuple[dict[str, list[tuple[int, float]]], list[tuple[int, float]]]) -> RawChunk:
    slots, times = parts
    data = build_aggregate(**{name: (XOR, encode_xor(samples)) for name, samples in slots.items()})
    return RawChunk(times[0][0], times[-1][0], AGGR, data)


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """A block to be written: series in label order, with chunks ready to be stored."""

    series: tuple[tuple[tuple[tuple[str, str], ...], tuple[RawChunk, ...]], ...]
    options: BlockOptions

    def write(self, target: Path | PutTarget) -> WrittenBlock:
        """Write it to a bucket's folder or store."""
        return write_block_raw(target, self.series, options=self.options)


@st.composite
def block_plans(
    draw: st.DrawFn, *, resolution: int = 0, min_series: int = 0, max_series: int = 8, ordered: bool = True
) -> BlockPlan:
    """A small block. `ordered` chunks follow each other in time, as proper blocks have them; others come as drawn."""
    label_sets_ = st.lists(
        label_sets(), min_size=min_series, max_size=max_series, unique_by=lambda s: tuple(sorted(s.items()))
    )
    chunk = aggregate_chunks() if resolution else raw_chunks()
    series = []
    for labels in draw(label_sets_):
        chunks = draw(st.lists(chunk, min_size=draw(st.sampled_from((1, 1, 1, 0))), max_size=4))
        series.append((tuple(sorted(labels.items())), tuple(_in_order(chunks) if ordered else chunks)))
    options = BlockOptions(
        external_labels=draw(external_label_sets()),
        resolution=resolution,
        seed=draw(st.integers(0, 2**32)),
        created=1700000000000,
        min_time=0,
        max_time=TIME_SPAN + 1,
        index_version=draw(st.sampled_from((2, 2, 2, 1))),
        label_indices=draw(st.booleans()),
        segment_size=draw(st.sampled_from((10**6, 64))),
        index_stats=draw(st.booleans()),
    )
    return BlockPlan(tuple(series), options)


def _in_order(chunks: Sequence[RawChunk]) -> list[RawChunk]:
    """The chunks that can follow each other without overlapping."""
    kept: list[RawChunk] = []
    for chunk in sorted(chunks, key=lambda chunk: (chunk.max_time, chunk.min_time)):
        if not kept or chunk.min_time > kept[-1].max_time:
            kept.append(chunk)
    return kept


def buckets(max_blocks: int = 3, *, ordered: bool = True) -> st.SearchStrategy[list[BlockPlan]]:
    """Blocks of all resolutions with their own ULIDs, overlapping in time and labels."""
    plans = st.sampled_from((0, 0, 0, 300000, 3600000)).flatmap(
        lambda resolution: block_plans(resolution=resolution, ordered=ordered)
    )
    return st.lists(plans, min_size=1, max_size=max_blocks, unique_by=lambda plan: plan.options.seed)
