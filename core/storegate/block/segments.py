"""Which chunk segments a block has, in the order that chunk references count them (spec/formats.md 1.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from storegate.block.discovery import CHUNKS, BlockListing
from storegate.errors import CorruptError
from storegate.types import BlockMeta, ObjectStore

_DIGITS = re.compile(r"[0-9]+")


class Segments(NamedTuple):
    """Keys of the segments, and their sizes in bytes where known."""

    keys: tuple[str, ...]
    sizes: tuple[int | None, ...]


def find_segments(store: ObjectStore, meta: BlockMeta, listing: BlockListing) -> Segments:
    """The segments as meta.json names them, or else as they are found in the bucket.

    Raises CorruptError for names that meta.json must not hold, and what listing raises.
    """
    sizes: dict[str, int | None] = {
        path.removeprefix(CHUNKS): size for path, size in meta.files.items() if path.startswith(CHUNKS)
    }
    listed = {path.removeprefix(CHUNKS): info.size for path, info in listing.objects.items() if path.startswith(CHUNKS)}
    if meta.segment_files:
        names = _checked(meta)
    elif sizes:
        names = _in_order(sizes)
    else:
        if not listing.complete:
            prefix = f"{meta.ulid}/{CHUNKS}"
            listed = {info.key.removeprefix(prefix): info.size for info in store.list(prefix)}
        names = _in_order(listed)
    sizes |= listed
    return Segments(tuple(f"{meta.ulid}/{CHUNKS}{name}" for name in names), tuple(sizes.get(name) for name in names))


def _checked(meta: BlockMeta) -> tuple[str, ...]:
    """Names from meta.json become parts of keys: nothing but digits may pass."""
    names = meta.segment_files
    wrong = [name for name in names if _DIGITS.fullmatch(name) is None]
    if wrong or len(set(names)) != len(names):
        rule = f"{wrong[0]!r} is not a number" if wrong else "a name is repeated"
        raise CorruptError(f"thanos.segment_files: {rule}", object=f"{meta.ulid}/meta.json")
    return names


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted((name for name in names if _DIGITS.fullmatch(name)), key=lambda name: (int(name), name)))
