"""Reads all blocks of a bucket's folder that a gateway with default settings serves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from storegate.errors import CorruptError
from storegate.testing.obvious.block import ObviousBlock, read_block

ULID_NAME = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
DELETION_DELAY = 24 * 3600 * 1000  # ms


def read_bucket(folder: Path, now: int) -> list[ObviousBlock]:
    """Blocks that are whole, not marked for deletion since more than a day before `now` (ms), and not superseded."""
    blocks = []
    for entry in sorted(folder.iterdir()):
        if not ULID_NAME.fullmatch(entry.name) or _deleted(entry, now):
            continue
        try:
            blocks.append(read_block(entry))
        except (CorruptError, FileNotFoundError):
            continue
    return without_superseded(blocks)


def _deleted(folder: Path, now: int) -> bool:
    mark = folder / "deletion-mark.json"
    if not mark.exists():
        return False
    return now - int(json.loads(mark.read_bytes())["deletion_time"]) * 1000 > DELETION_DELAY


def without_superseded(blocks: Iterable[ObviousBlock]) -> list[ObviousBlock]:
    """Drops blocks whose sources are all in one other block of the same labels and resolution."""
    kept: list[ObviousBlock] = []
    for block in sorted(blocks, key=lambda block: (-len(block.sources), block.ulid)):
        peers = [other for other in kept if (other.labels, other.resolution) == (block.labels, block.resolution)]
        if not any(block.sources <= other.sources for other in peers):
            kept.append(block)
    return sorted(kept, key=lambda block: block.ulid)
