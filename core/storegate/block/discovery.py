"""Finding the blocks of a bucket (spec/formats.md 1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from storegate.block.marks import MARK_FILES
from storegate.block.meta import META_FILE
from storegate.block.ulids import is_ulid, looks_like_ulid
from storegate.types import ObjectInfo, ObjectStore

Strategy = Literal["recursive", "concurrent"]

INDEX_FILE = "index"
CHUNKS = "chunks/"
_KEPT = MARK_FILES | {META_FILE, INDEX_FILE}


@dataclass(frozen=True, slots=True)
class BlockListing:
    """What a listing told about one block's folder.

    `objects` are its objects by path below the folder: those that the gateway reads, and all marks. `complete` says
    whether one of these that is not there does not exist; otherwise nothing is known.
    """

    objects: Mapping[str, ObjectInfo] = field(default_factory=dict)
    complete: bool = False


def list_blocks(
    store: ObjectStore, strategy: Strategy, *, on_odd_name: Callable[[str], None] | None = None
) -> dict[str, BlockListing]:
    """Block folders by ULID, complete uploads or not; raises what listing raises.

    `recursive` lists every object, one request per thousand, and so learns sizes, times, marks and segments at once.
    `concurrent` lists the root alone; whether a block has a meta.json shows when that is read. `on_odd_name` hears of
    top-level names that resemble a ULID but are none.
    """
    odd_name = _Once(on_odd_name)
    if strategy == "concurrent":
        names = (info.key[:-1] for info in store.list() if info.key.endswith("/"))
        return {name: BlockListing() for name in names if odd_name.is_block(name)}
    found: dict[str, dict[str, ObjectInfo]] = {}
    for info in store.list(recursive=True):
        name, slash, path = info.key.partition("/")
        if slash and odd_name.is_block(name):
            objects = found.setdefault(name, {})
            if path in _KEPT or path.startswith(CHUNKS):
                objects[path] = info
    return {name: BlockListing(objects, complete=True) for name, objects in found.items()}


class _Once:
    """Tells block folders from other names, and reports each odd name once."""

    def __init__(self, report: Callable[[str], None] | None) -> None:
        self._report = report
        self._reported: set[str] = set()

    def is_block(self, name: str) -> bool:
        if is_ulid(name):
            return True
        if self._report is not None and looks_like_ulid(name) and name not in self._reported:
            self._reported.add(name)
            self._report(name)
        return False
