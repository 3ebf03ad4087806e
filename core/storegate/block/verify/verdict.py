"""Verifying a block: its files, its index, its chunks, its numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from storegate.block.discovery import CHUNKS, INDEX_FILE, BlockListing
from storegate.block.meta import META_FILE
from storegate.block.segments import Segments, find_segments
from storegate.block.verify.chunks import ChunkReader
from storegate.block.verify.files import Objects, check_files, check_marks, read_meta
from storegate.block.verify.index import IndexOutcome, verify_index
from storegate.block.verify.layout import plain
from storegate.block.verify.report import Problem, Report, TooManyProblems
from storegate.block.verify.segments import open_segments
from storegate.block.verify.source import AHEAD, Source
from storegate.errors import CorruptError, NotFoundError
from storegate.types import BlockMeta, ObjectStore

Progress = Callable[[int, int], None]
"""Called with (bytes that were read, bytes in all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verification found. `folded` counts problems that are not in `problems`, by (object, code).

    `complete` is false when the limit of problems ended it. `bytes` is the size of index and chunks, `seconds` what it
    took.
    """

    ulid: str
    problems: tuple[Problem, ...]
    folded: Mapping[tuple[str, str], int]
    errors: int
    warnings: int
    complete: bool
    series: int
    chunks: int
    samples: int
    bytes: int
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged; warnings do not count."""
        return not self.errors and self.complete


def verify_block(
    store: ObjectStore, ulid: str, *, limit: int = 0, progress: Progress = lambda read, total: None
) -> Verdict:
    """Read the block `ulid` whole and judge it; after `limit` problems (0: never) it gives up.

    Raises NotFoundError when nothing lies in the block's folder, and what the store raises, but no CorruptError.
    """
    started = time.perf_counter()
    prefix = f"{ulid}/"
    objects = {info.key.removeprefix(prefix): info for info in store.list(prefix, recursive=True)}
    if not objects:
        raise NotFoundError(f"block {ulid} does not exist: there is no object below {prefix}")
    report = Report(limit)
    total = sum(info.size or 0 for path, info in objects.items() if path == INDEX_FILE or path.startswith(CHUNKS))
    with ThreadPoolExecutor(AHEAD, thread_name_prefix="verify") as pool:
        source = Source(store, ulid, pool, _Progress(progress, total))
        block = _Verification(source, objects, report)
        complete = block.run(store)
    return Verdict(
        ulid=ulid,
        problems=tuple(report.problems),
        folded=report.folded(),
        errors=report.errors,
        warnings=report.warnings,
        complete=complete,
        series=block.outcome.series,
        chunks=0 if block.chunks is None else block.chunks.read,
        samples=0 if block.chunks is None else block.chunks.samples,
        bytes=total,
        seconds=time.perf_counter() - started,
    )


class _Progress:
    """Adds up what was read, never more than there is."""

    def __init__(self, tell: Progress, total: int) -> None:
        self._tell = tell
        self._total = total
        self._read = 0

    def __call__(self, count: int) -> None:
        self._read = min(self._read + count, self._total)
        self._tell(self._read, self._total)


class _Verification:
    """One run over one block."""

    def __init__(self, source: Source, objects: Objects, report: Report) -> None:
        self._source = source
        self._objects = objects
        self._report = report
        self.outcome = IndexOutcome()
        self.chunks: ChunkReader | None = None

    def run(self, store: ObjectStore) -> bool:
        """Whether it came to its end."""
        try:
            self._run(store)
        except TooManyProblems:
            return False
        except CorruptError as error:  # an object changed while it was read
            path = error.object.partition("/")[2]
            self._report.error("object-changed", path, plain(error), offset=error.offset)
            return False
        return True

    def _run(self, store: ObjectStore) -> None:
        source, objects, report = self._source, self._objects, self._report
        meta = read_meta(source, objects, report)
        check_marks(source, objects, report)
        check_files(meta, objects, report)
        segments = open_segments(source, self._segments(store, meta), report)
        self.chunks = ChunkReader(source, segments, report)
        index = objects.get(INDEX_FILE)
        if index is not None:
            self.outcome = verify_index(source, index.size or 0, meta, self.chunks, report)
        self.chunks.finish(walk=not self.outcome.sound)
        if meta is not None and self.outcome.sound and not self.chunks.bad:
            _check_statistics(meta, self.outcome, self.chunks, report)

    def _segments(self, store: ObjectStore, meta: BlockMeta | None) -> Segments:
        """As meta.json has them, else those that are there; the sizes are those of the listing alone."""
        ulid = self._source.ulid
        present = {path: info for path, info in self._objects.items() if path.startswith(CHUNKS)}
        listing = BlockListing(present, complete=True)
        unnamed = BlockMeta(ulid=ulid, min_time=0, max_time=0)
        try:
            keys = find_segments(store, meta or unnamed, listing).keys
        except CorruptError as error:
            self._report.error("meta", META_FILE, plain(error))
            keys = find_segments(store, unnamed, listing).keys
        found = (present.get(key.removeprefix(f"{ulid}/")) for key in keys)
        return Segments(keys, tuple(None if info is None else info.size for info in found))


def _check_statistics(meta: BlockMeta, outcome: IndexOutcome, chunks: ChunkReader, report: Report) -> None:
    """The numbers of meta.json, those of them that it has."""
    for what, told, found in (
        ("numSeries", meta.num_series, {outcome.series, outcome.with_chunks}),
        ("numChunks", meta.num_chunks, {outcome.chunks}),
        ("numSamples", meta.num_samples, {chunks.samples}),
    ):
        if told and told not in found:
            report.error("statistics", META_FILE, f"stats.{what} is {told}, but the block has {max(found)}")
