"""Reads a block as a whole: meta.json, index, and every chunk segment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storegate.errors import CorruptError
from storegate.query.request import LabelMatcher
from storegate.testing.chunks import AGGR, Sample, decode_chunk, split_aggregate
from storegate.testing.crc32c import crc32c
from storegate.testing.obvious.index import ChunkEntry, IndexSeries, LabelPairs, ObviousIndex, read_index
from storegate.testing.obvious.matching import Matcher, all_match, compile_matchers
from storegate.testing.varint import read_uvarint

SEGMENT_HEADER = bytes.fromhex("85bd40dd01")


@dataclass(frozen=True, slots=True)
class ObviousBlock:
    """A block in memory. Labels are external ones, times ms; `segments` are in the order of chunk references."""

    ulid: str
    document: Mapping[str, Any]
    index: ObviousIndex
    segments: Sequence[bytes]

    @property
    def min_time(self) -> int:
        """Inclusive."""
        return int(self.document["minTime"])

    @property
    def max_time(self) -> int:
        """Exclusive."""
        return int(self.document["maxTime"])

    @property
    def thanos(self) -> Mapping[str, Any]:
        return self.document.get("thanos") or {}

    @property
    def labels(self) -> dict[str, str]:
        """External labels."""
        return dict(self.thanos.get("labels") or {})

    @property
    def resolution(self) -> int:
        return int((self.thanos.get("downsample") or {}).get("resolution") or 0)

    @property
    def sources(self) -> frozenset[str]:
        return frozenset((self.document.get("compaction") or {}).get("sources") or ())

    def series(self) -> list[IndexSeries]:
        """All series in index order."""
        return [self.index.series[offset] for offset in sorted(self.index.series)]

    def matching(self, matchers: Iterable[Matcher]) -> list[IndexSeries]:
        """Series whose own labels satisfy all matchers, in index order."""
        matchers = list(matchers)
        return [series for series in self.series() if all_match(matchers, dict(series.labels))]

    def chunk(self, entry: ChunkEntry) -> tuple[int, bytes]:
        """Encoding byte and data of a chunk. Raises CorruptError."""
        name = f"{self.ulid}/chunks (segment {entry.segment})"
        if entry.segment >= len(self.segments):
            raise CorruptError(f"there are only {len(self.segments)} segments", object=name)
        segment = self.segments[entry.segment]
        if entry.offset < 8:
            raise CorruptError("a chunk begins inside the segment's header", object=name, offset=entry.offset)
        length, begin = read_uvarint(segment, entry.offset, min(entry.offset + 5, len(segment)))
        end = begin + 1 + length
        if end + 4 > len(segment):
            raise CorruptError(f"a chunk of {length} bytes reaches past the end", object=name, offset=entry.offset)
        if crc32c(segment[begin:end]) != int.from_bytes(segment[end : end + 4], "big"):
            raise CorruptError("the checksum of a chunk is wrong", object=name, offset=entry.offset)
        return segment[begin], segment[begin + 1 : end]

    def samples(self, series: IndexSeries) -> list[Sample]:
        """All samples of a series, chunk after chunk; of a downsampled block those of the count."""
        samples: list[Sample] = []
        for entry in series.chunks:
            encoding, data = self.chunk(entry)
            if encoding == AGGR:
                encoding, data = split_aggregate(data)["count"]
            samples += decode_chunk(encoding, data)
        return samples

    def select(
        self, matchers: Iterable[LabelMatcher], min_time: int, max_time: int
    ) -> list[tuple[LabelPairs, list[Sample]]]:
        """Series with the samples in the closed range `min_time` to `max_time` (ms), without external labels."""
        found = []
        for series in self.matching(compile_matchers(matchers)):
            samples = [sample for sample in self.samples(series) if min_time <= sample[0] <= max_time]
            if samples:
                found.append((series.labels, samples))
        return found


def read_block(folder: Path) -> ObviousBlock:
    """Read the block in `folder`, which is named by its ULID. Raises CorruptError, or OSError for a missing file."""
    document = _read_meta(folder)
    index = read_index((folder / "index").read_bytes(), f"{folder.name}/index")
    thanos = document.get("thanos") or {}
    names = thanos.get("segment_files")
    if not names:
        paths = (folder / "chunks").iterdir() if (folder / "chunks").is_dir() else ()
        names = sorted((path.name for path in paths if path.name.isdigit()), key=int)
    segments = [(folder / "chunks" / name).read_bytes() for name in names]
    for name, segment in zip(names, segments, strict=True):
        if segment[:5] != SEGMENT_HEADER:
            raise CorruptError("magic or version is wrong", object=f"{folder.name}/chunks/{name}", offset=0)
    return ObviousBlock(folder.name, document, index, segments)


def _read_meta(folder: Path) -> Mapping[str, Any]:
    try:
        document = json.loads((folder / "meta.json").read_bytes())
    except ValueError as error:
        raise CorruptError(f"not JSON: {error}", object=f"{folder.name}/meta.json") from error
    if not isinstance(document, dict) or document.get("version") != 1:
        raise CorruptError("not an object of version 1", object=f"{folder.name}/meta.json")
    return document
