"""Composes the meta.json of a written block, with the parts that Thanos adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from storegate.errors import CorruptError
from storegate.testing.chunks import AGGR, FLOAT_HISTOGRAM, HISTOGRAM, RawChunk, split_aggregate
from storegate.testing.index_writer import ChunkEntry, IndexSeries

if TYPE_CHECKING:
    from storegate.testing.block_writer import BlockOptions


def compose_meta(
    options: BlockOptions,
    ulid: str,
    created: int,
    series: Sequence[IndexSeries],
    stats: Mapping[str, int],
    sizes: Mapping[str, int],
    series_max_size: int,
) -> dict[str, Any]:
    """The document of meta.json. `sizes` are the objects' bytes by path, `created` is in ms."""
    entries = [chunk for entry in series for chunk in entry.chunks]
    first = min((chunk.min_time for chunk in entries), default=0)
    end = max((chunk.max_time for chunk in entries), default=-1) + 1
    document: dict[str, Any] = {
        "ulid": ulid,
        "minTime": first if options.min_time is None else options.min_time,
        "maxTime": end if options.max_time is None else options.max_time,
        "stats": {name: number for name, number in stats.items() if number},
        "compaction": {"level": options.level, "sources": _sources(options, ulid)},
        "version": 1,
    }
    if options.thanos:
        document["thanos"] = _thanos(options, created, series, sizes, series_max_size)
    return {**document, **options.meta}


def _sources(options: BlockOptions, ulid: str) -> list[str]:
    return [ulid] if options.sources is None else list(options.sources)


def _thanos(
    options: BlockOptions, created: int, series: Sequence[IndexSeries], sizes: Mapping[str, int], series_max_size: int
) -> dict[str, Any]:
    part: dict[str, Any] = {
        "version": 1,
        "labels": dict(options.external_labels),
        "downsample": {"resolution": options.resolution},
        "source": options.source,
        "index_stats": {},
        "upload_time": datetime.fromtimestamp(created / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    if options.segment_files:
        part["segment_files"] = sorted(path.removeprefix("chunks/") for path in sizes if path.startswith("chunks/"))
    if options.files:
        files: list[dict[str, Any]] = [{"rel_path": path, "size_bytes": size} for path, size in sizes.items()]
        part["files"] = sorted([*files, {"rel_path": "meta.json"}], key=lambda file: file["rel_path"])
    if options.index_stats:
        estimates = {"series_max_size": series_max_size, "chunk_max_size": _chunk_max_size(series)}
        part["index_stats"] = {name: size for name, size in estimates.items() if size}
    return part


def _chunk_max_size(series: Sequence[IndexSeries]) -> int:
    """The estimate of Thanos: distances between references of a series, its last two chunks left out."""
    return max((_largest_distance(entry.chunks) for entry in series), default=0)


def _largest_distance(chunks: Sequence[ChunkEntry]) -> int:
    pairs = pairwise(chunks[:-1])
    return max((b.ref - a.ref for a, b in pairs if a.ref >> 32 == b.ref >> 32), default=0)


def count_samples(stats: dict[str, int], chunks: Sequence[RawChunk]) -> None:
    """Add one series to the numbers of meta.json; an aggregate chunk counts the samples of its count."""
    stats["numSeries"] += 1
    stats["numChunks"] += len(chunks)
    for chunk in chunks:
        samples = _samples(chunk)
        stats["numSamples"] += samples
        stats["numHistogramSamples" if chunk.encoding in (HISTOGRAM, FLOAT_HISTOGRAM) else "numFloatSamples"] += samples


def _samples(chunk: RawChunk) -> int:
    """By the chunk's header; 0 where it cannot be read, because a block may be damaged on purpose."""
    data = chunk.data
    if chunk.encoding == AGGR:
        try:
            data = split_aggregate(data)["count"][1]
        except (CorruptError, KeyError):
            return 0
    return int.from_bytes(data[:2], "big")
