"""One record for each block of a bucket: what it says about itself, and what a gateway would do with it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from prometheus_client import CollectorRegistry
from ulid import ULID

from storegate.block.discovery import CHUNKS, INDEX_FILE, BlockListing
from storegate.block.documents import Members, parse_object
from storegate.block.fetcher import FetchResult
from storegate.block.loader import RESOLUTIONS, BlockLoader
from storegate.block.marks import MARK_FILES, parse_deletion_mark
from storegate.block.metrics import CORRUPTED, NO_META
from storegate.block.segments import find_segments
from storegate.cli.bucket.bucket import Bucket
from storegate.errors import CorruptError, StoregateError
from storegate.metrics import Metrics
from storegate.types import BlockMeta, ObjectStore

LOADERS = 4
"""Indexes that are opened at once."""


class State(StrEnum):
    """What a gateway would do with a block."""

    OK = "ok"  # load and serve it
    FILTERED = "filtered"  # leave it out, as a filter says
    BROKEN = "broken"  # put it into quarantine: something that it needs is missing or wrong
    PARTIAL = "partial"  # pass over it: no meta.json, so an upload or a deletion is not complete
    CORRUPT = "corrupt"  # pass over it: its meta.json breaks the rules
    FAILED = "failed"  # leave it as it was: its meta.json could not be read, or is of an unknown version


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A mark on a block: when it was set (ms, None when unreadable), why, and in which words."""

    time: int | None
    reason: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRow:
    """One block. `reason` explains any state but OK; for FILTERED it is what the filter `by` calls it (`duplicate`).

    `problems` name objects that meta.json tells of and that are missing or of another size. `marks` are by kind:
    `deletion`, `no_compact`, `no_downsample`.
    """

    ulid: str
    state: State
    reason: str = ""
    by: str = ""
    meta: BlockMeta | None = None
    marks: Mapping[str, Mark]
    problems: tuple[str, ...] = ()
    listing: BlockListing

    @property
    def created(self) -> int:
        """When its ULID was made (ms)."""
        return ULID.from_str(self.ulid).milliseconds

    @property
    def size(self) -> int:
        """Bytes of all its objects that matter."""
        return sum(info.size or 0 for info in self.listing.objects.values())

    def size_of(self, prefix: str) -> int:
        """Bytes of the objects whose path begins like this."""
        return sum(info.size or 0 for path, info in self.listing.objects.items() if path.startswith(prefix))


def block_rows(bucket: Bucket, *, load: bool = False) -> list[BlockRow]:
    """All blocks, by ULID. `load` opens the index of each that would be served, as a gateway would."""
    result = bucket.fetch()
    broken: dict[str, str] = {}
    tried: set[str] = set()
    while untried := {ulid: meta for ulid, meta in result.metas.items() if ulid not in tried}:
        tried |= untried.keys()
        found = _broken(bucket, untried, result.listings, load)
        if found:  # a block that cannot load hides no other as its duplicate
            broken |= found
            result = bucket.without(result, set(broken))
    marks = _read_marks(bucket.store, result.listings, bucket.settings.sync.meta_concurrency)
    return [_row(ulid, result, broken, marks.get(ulid, {}), result.listings[ulid]) for ulid in sorted(result.listings)]


def _row(
    ulid: str, result: FetchResult, broken: Mapping[str, str], marks: Mapping[str, Mark], listing: BlockListing
) -> BlockRow:
    meta = result.seen.get(ulid)
    error = result.errors.get(ulid)
    row = BlockRow(
        ulid=ulid, state=State.OK, meta=meta, marks=marks, listing=listing, problems=_problems(meta, listing)
    )
    if ulid in broken:
        return replace(row, state=State.BROKEN, reason=broken[ulid])
    if ulid in result.dropped:
        reason, by = result.dropped[ulid]
        return replace(row, state=State.FILTERED, reason=reason, by=by)
    if meta is not None:
        return row
    state = {NO_META: State.PARTIAL, CORRUPTED: State.CORRUPT}.get(result.states.get(ulid, ""), State.FAILED)
    return replace(row, state=state, reason="there is no meta.json" if state == State.PARTIAL else str(error or ""))


def _problems(meta: BlockMeta | None, listing: BlockListing) -> tuple[str, ...]:
    """What the listing lacks of the files that meta.json names."""
    if meta is None:
        return ()
    objects = listing.objects
    named = dict.fromkeys((INDEX_FILE, *(f"{CHUNKS}{name}" for name in meta.segment_files), *meta.files))
    missing = [f"{path} is missing" for path in named if path not in objects]
    sizes = [
        f"{path} has {objects[path].size} bytes instead of {size}"
        for path, size in meta.files.items()
        if path in objects and objects[path].size != size
    ]
    return (*missing, *sizes)


def _broken(
    bucket: Bucket, metas: Mapping[str, BlockMeta], listings: Mapping[str, BlockListing], load: bool
) -> dict[str, str]:
    """Why blocks cannot be loaded, by ULID."""
    if not load:
        reasons = {ulid: _plain_reason(bucket.store, meta, listings[ulid]) for ulid, meta in metas.items()}
        return {ulid: reason for ulid, reason in reasons.items() if reason}
    with tempfile.TemporaryDirectory(prefix="storegate-bucket-") as folder:
        loader = BlockLoader(bucket.store, Path(folder), bucket.settings.index_header, Metrics(CollectorRegistry()))

        def reason(meta: BlockMeta) -> str:
            try:
                loader.open(meta, listings[meta.ulid], verify=True).drop()
            except StoregateError as error:
                return str(error)
            return ""

        with ThreadPoolExecutor(LOADERS, thread_name_prefix="load") as pool:
            found = zip(metas, pool.map(reason, metas.values()), strict=True)
            return {ulid: reason for ulid, reason in found if reason}


def _plain_reason(store: ObjectStore, meta: BlockMeta, listing: BlockListing) -> str:
    """Why loading would fail, as far as meta.json and the listing tell."""
    if meta.resolution not in RESOLUTIONS:
        return f"thanos.downsample.resolution {meta.resolution} is not one of {RESOLUTIONS} ms"
    if INDEX_FILE not in listing.objects:
        return f"{INDEX_FILE} is missing"
    try:
        find_segments(store, meta, listing)
    except CorruptError as error:
        return str(error)
    return ""


def _read_marks(store: ObjectStore, listings: Mapping[str, BlockListing], workers: int) -> dict[str, dict[str, Mark]]:
    """All marks, by ULID and kind."""
    keys = [(ulid, path) for ulid, listing in listings.items() for path in sorted(MARK_FILES & listing.objects.keys())]
    found: dict[str, dict[str, Mark]] = {}
    if keys:
        with ThreadPoolExecutor(min(workers, len(keys)), thread_name_prefix="marks") as pool:
            for (ulid, path), mark in zip(keys, pool.map(lambda key: _read_mark(store, *key), keys), strict=True):
                found.setdefault(ulid, {})[kind_of(path)] = mark
    return found


def kind_of(path: str) -> str:
    """`deletion-mark.json` is `deletion`."""
    return path.removesuffix("-mark.json").replace("-", "_")


def _read_mark(store: ObjectStore, ulid: str, path: str) -> Mark:
    kind = kind_of(path)
    try:
        data = store.get(f"{ulid}/{path}")
        if kind == "deletion":
            deletion = parse_deletion_mark(data, ulid)
            return Mark(time=deletion.deletion_time, details=deletion.details)
        mark = Members(parse_object(data, path), path)
        seconds = mark.integer(f"{kind}_time")
        return Mark(time=seconds * 1000, reason=mark.text("reason"), details=mark.text("details"))
    except StoregateError as error:
        return Mark(time=None, details=str(error))


def total_size(rows: Iterable[BlockRow]) -> int:
    """Bytes of all of them."""
    return sum(row.size for row in rows)


def state_counts(rows: Iterable[BlockRow]) -> dict[str, int]:
    """How many blocks are in each state, states without any left out."""
    tally = Counter(row.state for row in rows)
    return {state.value: tally[state] for state in State if tally[state]}
