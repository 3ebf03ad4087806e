"""What became of every block of the bucket, for people and for the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from storegate.block.discovery import BlockListing
from storegate.block.fetcher import FetchResult
from storegate.block.marks import NO_COMPACT_MARK_FILE
from storegate.block.syncer import BlockSyncer, Quarantined
from storegate.types import BlockMeta, DeletionMark


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStatus:
    """One block: `filtered` blocks carry the state and the filter's name as reason, `quarantined` ones the cause.

    `size` is the bytes of its objects as far as they are known; `no_compact` is known only after a recursive listing.
    """

    ulid: str
    state: Literal["loaded", "loading", "quarantined", "filtered", "unreadable"]
    reason: str = ""
    filtered_by: str = ""  # the name of the filter
    meta: BlockMeta | None = None
    deletion: DeletionMark | None = None
    no_compact: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenBlocks:
    """What the last fetch chose to be served; `quarantined` ones among them cannot be loaded (operations 4.1).

    `refreshed` is when that fetch began (ms), None before the first; `error` says why it failed: then the blocks are
    those of the fetch before.
    """

    metas: tuple[BlockMeta, ...]
    quarantined: Mapping[str, Quarantined]
    refreshed: int | None
    error: str


def chosen_blocks(syncer: BlockSyncer) -> ChosenBlocks:
    """All blocks that the filters let pass, by ULID, also those that cannot be loaded. Thread-safe."""
    last, quarantined = syncer.last, syncer.quarantine
    metas = {ulid: held.meta for ulid, held in quarantined.items()} | dict(last.metas if last else {})
    return ChosenBlocks(
        metas=tuple(metas[ulid] for ulid in sorted(metas)),
        quarantined=quarantined,
        refreshed=syncer.last_attempt,
        error=str(syncer.last_error or ""),
    )


def block_statuses(syncer: BlockSyncer) -> list[BlockStatus]:
    """All blocks that the last fetch saw, by ULID, and those that a sync is loading. Thread-safe."""
    found: dict[str, BlockStatus] = {}
    last = syncer.last
    if last is not None:
        for ulid, (state, by) in last.dropped.items():
            reason, meta = f"{state} ({by})", last.seen.get(ulid)
            found[ulid] = BlockStatus(ulid=ulid, state="filtered", reason=reason, filtered_by=by, meta=meta)
        for ulid, error in last.errors.items():
            found[ulid] = BlockStatus(ulid=ulid, state="unreadable", reason=str(error))
    for ulid, meta in syncer.loading.items():
        found[ulid] = BlockStatus(ulid=ulid, state="loading", meta=meta)
    for ulid, held in syncer.quarantine.items():
        found[ulid] = BlockStatus(ulid=ulid, state="quarantined", reason=held.cause, meta=held.meta)
    for ulid, block in syncer.catalog.snapshot().blocks.items():
        found[ulid] = BlockStatus(ulid=ulid, state="loaded", meta=block.meta)
    return [_with_objects(found[ulid], last) for ulid in sorted(found)]


def _with_objects(status: BlockStatus, last: FetchResult | None) -> BlockStatus:
    """Adds what the marks and the listing of the last fetch tell."""
    if last is None:
        return replace(status, size=_size(status.meta, None))
    listing = last.listings.get(status.ulid)
    return replace(
        status,
        deletion=last.marks.get(status.ulid),
        no_compact=listing is not None and NO_COMPACT_MARK_FILE in listing.objects,
        size=_size(status.meta, listing),
    )


def _size(meta: BlockMeta | None, listing: BlockListing | None) -> int:
    if listing is not None and listing.complete:
        return sum(info.size or 0 for info in listing.objects.values())
    return sum(meta.files.values()) if meta is not None else 0
