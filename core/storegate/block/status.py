"""What became of every block of the bucket, for people and for the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from storegate.block.syncer import BlockSyncer, Quarantined
from storegate.types import BlockMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStatus:
    """One block: `filtered` blocks carry the state and the filter's name as reason, `quarantined` ones the cause."""

    ulid: str
    state: Literal["loaded", "quarantined", "filtered", "unreadable"]
    reason: str = ""
    meta: BlockMeta | None = None


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
    """All blocks that the last fetch saw, by ULID. Thread-safe."""
    found: dict[str, BlockStatus] = {}
    last = syncer.last
    if last is not None:
        for ulid, (state, by) in last.dropped.items():
            found[ulid] = BlockStatus(ulid=ulid, state="filtered", reason=f"{state} ({by})")
        for ulid, error in last.errors.items():
            found[ulid] = BlockStatus(ulid=ulid, state="unreadable", reason=str(error))
    for ulid, held in syncer.quarantine.items():
        found[ulid] = BlockStatus(ulid=ulid, state="quarantined", reason=held.cause, meta=held.meta)
    for ulid, block in syncer.catalog.snapshot().blocks.items():
        found[ulid] = BlockStatus(ulid=ulid, state="loaded", meta=block.meta)
    return [found[ulid] for ulid in sorted(found)]
