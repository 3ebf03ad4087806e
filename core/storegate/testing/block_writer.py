"""Writes TSDB blocks as Prometheus and Thanos do: index, chunk segments with real checksums, meta.json.

`write_block` takes samples, `write_block_arrays` takes numpy arrays (fast), `write_block_raw` takes ready chunk
data and writes exactly what it is given, so that odd blocks can be made on purpose.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ulid import ULID

from storegate.testing.chunks import XOR, RawChunk, Sample, downsample, encode_samples
from storegate.testing.index_writer import BytePairs, IndexSeries, build_index
from storegate.testing.meta_writer import compose_meta, count_samples
from storegate.testing.segment_writer import SegmentWriter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLES_PER_CHUNK = 120
SEGMENT_SIZE = 512 * 1024 * 1024

Labels = Mapping[str, str] | Sequence[tuple[str, str]]
ChunkLike = RawChunk | tuple[int, int, int, bytes]
"""A chunk ready to be stored: (min_time, max_time, encoding, data)."""


class PutTarget(Protocol):
    """The part of an ObjectStore that a writer needs."""

    def put(self, key: str, data: bytes) -> None: ...


@dataclass(frozen=True, kw_only=True)
class BlockOptions:
    """How a block is written; every field has a default that suits tests.

    A block with the same series, `created` and `seed` is the same to the byte. Times are ms.
    """

    external_labels: Mapping[str, str] = field(default_factory=dict)
    resolution: int = 0
    ulid: str = ""  # made from `created` and `seed` when empty
    seed: int | str | None = None  # None: a random ULID
    created: int | None = None  # ULID time and upload time; None: now
    min_time: int | None = None  # None: that of the earliest chunk
    max_time: int | None = None  # exclusive; None: the end of the latest chunk + 1
    index_version: int = 2
    label_indices: bool = False  # also write the obsolete sections of older writers
    segment_size: int = SEGMENT_SIZE  # bytes after which the next segment begins
    sort: bool = True  # series by labels, labels by name; False keeps the order given
    level: int = 1
    sources: Sequence[str] | None = None  # None: the block itself
    source: str = "test"
    thanos: bool = True  # False leaves the `thanos` part out of meta.json
    index_stats: bool = True
    segment_files: bool = True
    files: bool = True
    meta: Mapping[str, Any] = field(default_factory=dict)  # replaces members of meta.json at the top


@dataclass(frozen=True, slots=True)
class WrittenBlock:
    """What was written: the ULID, the document of meta.json, and the bytes of every object by path below the block."""

    ulid: str
    document: Mapping[str, Any]
    sizes: Mapping[str, int]


def write_block(
    target: Path | PutTarget,
    series: Iterable[tuple[Labels, Sequence[Sample]]],
    *,
    samples_per_chunk: int = SAMPLES_PER_CHUNK,
    options: BlockOptions | None = None,
    **changes: Any,
) -> WrittenBlock:
    """Encode and write a block; with a `resolution` the samples are downsampled first.

    `target` is the bucket's folder or store, `changes` are fields of BlockOptions. A series may mix floats, integer
    histograms and float histograms: each change begins a new chunk, as does a new histogram layout.
    """
    options = replace(options or BlockOptions(), **changes)

    def chunks(samples: Sequence[Sample]) -> list[RawChunk]:
        if options.resolution:
            return downsample(samples, options.resolution)
        return encode_samples(samples, samples_per_chunk)

    return write_block_raw(target, ((labels, chunks(samples)) for labels, samples in series), options=options)


def write_block_arrays(
    target: Path | PutTarget,
    labels: Sequence[Labels],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    *,
    samples_per_chunk: int = SAMPLES_PER_CHUNK,
    options: BlockOptions | None = None,
    **changes: Any,
) -> WrittenBlock:
    """Write float series fast: `values` is (series, samples), `times` (ms, ascending) the same or one row for all."""
    series = zip(labels, encode_arrays(times, values, samples_per_chunk), strict=True)
    return write_block_raw(target, series, options=options, **changes)


def encode_arrays(
    times: NDArray[np.int64], values: NDArray[np.float64], samples_per_chunk: int = SAMPLES_PER_CHUNK
) -> list[list[RawChunk]]:
    """XOR chunks per row of `values`; shapes as in `write_block_arrays`."""
    import numpy as np

    from storegate.testing.bulk import encode_xor_rows

    values = np.asarray(values, dtype=np.float64)
    times = np.broadcast_to(np.asarray(times, dtype=np.int64), values.shape)
    series: list[list[RawChunk]] = [[] for _ in range(len(values))]
    for start in range(0, values.shape[1], samples_per_chunk):
        window = times[:, start : start + samples_per_chunk]
        data = encode_xor_rows(window, values[:, start : start + samples_per_chunk])
        for chunks, first, last, chunk in zip(series, window[:, 0].tolist(), window[:, -1].tolist(), data, strict=True):
            chunks.append(RawChunk(first, last, XOR, chunk))
    return series


def write_block_raw(
    target: Path | PutTarget,
    series: Iterable[tuple[Labels, Iterable[ChunkLike]]],
    *,
    options: BlockOptions | None = None,
    **changes: Any,
) -> WrittenBlock:
    """Write a block of ready chunks, in the order given, right or wrong; `changes` are fields of BlockOptions."""
    options = replace(options or BlockOptions(), **changes)
    created = int(time.time() * 1000) if options.created is None else options.created
    ulid = options.ulid or make_ulid(created, options.seed)
    put = _BlockFolder(target, ulid)
    pairs = [(_pairs(labels, options.sort), chunks) for labels, chunks in series]
    if options.sort:
        pairs.sort(key=lambda entry: entry[0])
    segments = SegmentWriter(put, options.segment_size)
    entries = []
    stats = dict.fromkeys(("numSamples", "numFloatSamples", "numHistogramSamples", "numSeries", "numChunks"), 0)
    for labels, chunks in pairs:
        raw = [RawChunk(*chunk) if isinstance(chunk, tuple) else chunk for chunk in chunks]
        entries.append(IndexSeries(labels, [segments.add(chunk) for chunk in raw]))
        count_samples(stats, raw)
    segments.close()
    index = build_index(entries, version=options.index_version, label_indices=options.label_indices)
    put("index", index.data)
    document = compose_meta(options, ulid, created, entries, stats, put.sizes, index.series_max_size)
    put("meta.json", json.dumps(document, indent="\t", ensure_ascii=False).encode() + b"\n")
    return WrittenBlock(ulid, document, put.sizes)


def make_ulid(created: int, seed: int | str | None = None) -> str:
    """A ULID of the time `created` (ms); the same seed gives the same random part."""
    source = random.SystemRandom() if seed is None else random.Random(seed)
    return str(ULID.from_bytes(created.to_bytes(6, "big") + source.randbytes(10)))


class _BlockFolder:
    """Puts objects below one block's prefix and remembers their sizes."""

    def __init__(self, target: Path | PutTarget, ulid: str) -> None:
        self._target = target
        self._ulid = ulid
        self.sizes: dict[str, int] = {}

    def __call__(self, path: str, data: bytes) -> None:
        self.sizes[path] = len(data)
        key = f"{self._ulid}/{path}"
        if not isinstance(self._target, Path):
            self._target.put(key, data)
            return
        file = self._target / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _pairs(labels: Labels, sort: bool) -> BytePairs:
    items = labels.items() if isinstance(labels, Mapping) else labels
    pairs = [(_stored(name), _stored(value)) for name, value in items]
    return tuple(sorted(pairs) if sort else pairs)


def _stored(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
