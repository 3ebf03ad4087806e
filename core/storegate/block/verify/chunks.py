"""Chunks: every one that the index tells of is read and checked, and what it does not tell of is found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from storegate.block.discovery import INDEX_FILE
from storegate.block.verify.columns import Int64, pieces
from storegate.block.verify.frames import MOST_BYTES, NameOf, Wanted, read_frames
from storegate.block.verify.report import Report
from storegate.block.verify.samples import check_samples
from storegate.block.verify.segments import Segment
from storegate.block.verify.source import PART, Source
from storegate.kernels import explain

MOST_CHUNKS = 1 << 16
TAIL = 4096
"""Bytes that are read for the last chunk of a run, whose end is not known; the rest of a longer one is read then."""
LOW = 0xFFFFFFFF


class ChunkReader:
    """Checks the chunks of a block. `read`, `bad` and `samples` count, chunks that do not exist being bad, too."""

    def __init__(self, source: Source, segments: list[Segment], report: Report) -> None:
        self._source = source
        self._segments = segments
        self._report = report
        self.read = 0
        self.bad = 0
        self.samples = 0

    def check(self, chunks: Int64, name_of: NameOf, entry_of: Callable[[int], int]) -> None:
        """Check chunks given as rows of (mint, maxt, ref, ...), mostly in the order of their refs.

        `name_of` and `entry_of` tell a row's series and the offset of its entry in the index.
        """
        refs = chunks[:, 2]
        order = np.argsort(refs, kind="stable")
        ordered = refs[order]
        twice = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
        numbers = ordered >> 32
        for i in twice.tolist():
            self._ref_error(
                "a chunk belongs to two entries of the index", int(order[i]), int(ordered[i]), name_of, entry_of
            )
        for i in np.flatnonzero(numbers >= len(self._segments)).tolist():
            self._ref_error(explain(19), int(order[i]), int(ordered[i]), name_of, entry_of)
        bounds = np.searchsorted(numbers, np.arange(len(self._segments) + 1))
        single = np.ones(len(order), np.bool_)
        single[twice] = False
        for number in np.flatnonzero(np.diff(bounds)).tolist():
            part = slice(bounds[number], bounds[number + 1])
            rows = order[part][single[part]]
            wanted = Wanted(refs[rows] & LOW, rows, chunks[rows, :2])
            self._check_segment(self._segments[number], wanted, name_of)

    def finish(self, *, walk: bool) -> None:
        """Account for what the index did not tell of; `walk` reads it, since the index may not have told all."""
        for segment in self._segments:
            segment.report_lost(self._report)
            self.bad += segment.lost
            overlap = segment.covered.overlap()
            if overlap and not self.bad:  # where a bad chunk ends is a guess
                message = f"series far apart in the index have the same {overlap[1] - overlap[0]} bytes"
                self._report.error("chunk-ref", segment.path, message, offset=overlap[0])
            for start, end in segment.covered.gaps(0, segment.size or 0):
                if walk:
                    self._walk(segment, start, end)
                else:
                    message = f"{end - start} bytes belong to no series"
                    self._report.warning("chunks-unlisted", segment.path, message, offset=start)

    def _ref_error(self, message: str, row: int, ref: int, name_of: NameOf, entry_of: Callable[[int], int]) -> None:
        self.bad += 1
        text = f"{message} (segment {ref >> 32}, offset {ref & LOW})"
        self._report.error("chunk-ref", INDEX_FILE, text, offset=entry_of(row), series=name_of(row))

    def _check_segment(self, segment: Segment, wanted: Wanted, name_of: NameOf) -> None:
        size = segment.size or 0
        inside = int(np.searchsorted(wanted.offsets, size))
        if inside < len(wanted.offsets):
            segment.lose(wanted.offsets[inside:], name_of(int(wanted.rows[inside])))
            wanted = wanted.part(0, inside)
        ends = np.minimum(np.append(wanted.offsets[1:], size), wanted.offsets + TAIL)
        cuts = list(pieces(wanted.offsets, ends, PART, MOST_CHUNKS))
        spans = [(int(wanted.offsets[first]), int(ends[behind - 1])) for first, behind in cuts]
        for (first, behind), ((at, _), data) in zip(cuts, self._source.ahead(segment.path, spans), strict=True):
            self._check_piece(segment, wanted.part(first, behind), at, data, name_of)

    def _check_piece(self, segment: Segment, wanted: Wanted, at: int, data: bytes, name_of: NameOf) -> None:
        frames = read_frames(self._source, segment, wanted, at, data, name_of, self._report)
        samples, errors = check_samples(segment, frames, wanted, name_of, self._report)
        self.read += len(wanted.offsets)
        self.samples += samples
        self.bad += frames.bad + errors

    def _walk(self, segment: Segment, at: int, end: int) -> None:
        """Check chunks that lie end to end and that nothing tells of."""
        part = PART
        while at < end:
            data = self._source.read(segment.path, at, min(at + part, end))
            offsets, following = _chunks_in(data, at, end)
            if len(offsets):
                nothing = np.zeros(len(offsets), np.int64)
                self._check_piece(segment, Wanted(offsets, nothing, None), at, data, lambda row: None)
                at, part = following, PART
            elif following <= end and part < MOST_BYTES:
                part = 2 * MOST_BYTES
            else:
                self.bad += 1
                message = "no further chunk can be found here: the bytes are none"
                self._report.error("chunk", segment.path, message, offset=at)
                return


def _chunks_in(data: bytes, at: int, end: int) -> tuple[Int64, int]:
    """The offsets of the chunks that lie whole in `data`, which begins at `at`, and where the next one begins."""
    offsets: list[int] = []
    place = 0
    while place < len(data):
        length = shift = 0
        behind = place
        while behind < len(data) and shift < 35:
            byte = data[behind]
            behind += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        behind += 1 + length + 4
        if behind > len(data):
            return np.array(offsets, np.int64), at + (place if offsets else behind)
        offsets.append(at + place)
        place = behind
    return np.array(offsets, np.int64), at + place
