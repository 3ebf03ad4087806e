"""What became of every block of the bucket, for people and for the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from storegate.block.syncer import BlockSyncer
from storegate.types import BlockMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStatus:
    """One block: `filtered` blocks carry the state and the filter's name as reason, `quarantined` ones the cause."""

    ulid: str
    state: Literal["loaded", "quarantined", "filtered", "unreadable"]
    reason: str = ""
    meta: BlockMeta | None = None


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
