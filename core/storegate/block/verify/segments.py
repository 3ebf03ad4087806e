"""Chunk segments: the files that chunk refs point into, and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from storegate.block.segments import Segments
from storegate.block.verify.columns import Int64
from storegate.block.verify.coverage import Coverage
from storegate.block.verify.report import Report, SeriesName
from storegate.block.verify.source import Source

HEADER = 8
MAGIC = bytes.fromhex("85bd40dd01")


@dataclass(slots=True)
class Segment:
    """One segment; `size` is None when the object is missing, `lost` counts chunks that should lie behind it."""

    path: str
    size: int | None
    covered: Coverage = field(default_factory=Coverage)
    lost: int = 0
    first_lost: tuple[int, SeriesName | None] | None = None

    def lose(self, offsets: Int64, series: SeriesName | None) -> None:
        """Note chunks that lie outside; `series` is that of the first."""
        if self.first_lost is None:
            self.first_lost = (int(offsets[0]), series)
        self.lost += len(offsets)

    def report_lost(self, report: Report) -> None:
        """Tell of them all at once."""
        if self.first_lost is None:
            return
        offset, series = self.first_lost
        where = "in this segment, which does not exist" if self.size is None else f"behind its end at {self.size}"
        report.error("chunks-lost", self.path, f"{self.lost} chunks lie {where}", offset=offset, series=series)


def open_segments(source: Source, found: Segments, report: Report) -> list[Segment]:
    """The segments in the order of chunk refs, their headers checked."""
    folder = f"{source.ulid}/"
    segments = [Segment(key.removeprefix(folder), size) for key, size in zip(found.keys, found.sizes, strict=True)]
    for segment in segments:
        if segment.size is None:
            continue
        head = source.read(segment.path, 0, min(HEADER, segment.size))
        segment.covered.add(np.array([0]), np.array([len(head)]))
        if len(head) < HEADER or not head.startswith(MAGIC):
            report.error("segment-header", segment.path, "not a chunk segment of version 1: magic or version", offset=0)
        elif any(head[len(MAGIC) :]):
            report.warning("padding", segment.path, "the last three bytes of the header are not 0", offset=len(MAGIC))
    return segments
