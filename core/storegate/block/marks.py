"""`deletion-mark.json`: the announcement that a block will go (spec/formats.md 3)."""

from __future__ import annotations

import structlog

from storegate.block.documents import Members, parse_object
from storegate.errors import CorruptError
from storegate.types import DeletionMark

DELETION_MARK_FILE = "deletion-mark.json"
NO_COMPACT_MARK_FILE = "no-compact-mark.json"
MARK_FILES = frozenset({DELETION_MARK_FILE, NO_COMPACT_MARK_FILE, "no-downsample-mark.json"})
MARK_VERSION = 1

log = structlog.get_logger(component="blocks")


class UnsupportedMarkError(CorruptError):
    """A mark of a version that this program does not know."""


def parse_deletion_mark(data: bytes, ulid: str) -> DeletionMark:
    """The mark in the folder `ulid`. Raises UnsupportedMarkError for an unknown version, else CorruptError.

    A mark that names another block counts for the block in whose folder it lies, with a warning.
    """
    name = f"{ulid}/{DELETION_MARK_FILE}"
    mark = Members(parse_object(data, name), name)
    version = mark.integer("version")
    if version != MARK_VERSION:
        raise UnsupportedMarkError(f"version {version} is not supported, only {MARK_VERSION} is", object=name)
    named = mark.text("id")
    if named != ulid:
        log.warning("a deletion mark names another block; its folder decides", object=name, id=named)
    return DeletionMark(ulid=ulid, deletion_time=mark.integer("deletion_time") * 1000, details=mark.text("details"))
