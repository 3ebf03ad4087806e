"""The objects of a block's folder: which there are, which there should be, and what the small ones say."""

from __future__ import annotations

from collections.abc import Mapping

from storegate.block.discovery import CHUNKS, INDEX_FILE
from storegate.block.documents import Members, parse_object
from storegate.block.loader import RESOLUTIONS
from storegate.block.marks import DELETION_MARK_FILE, MARK_FILES, parse_deletion_mark
from storegate.block.meta import META_FILE, parse_meta
from storegate.block.verify.layout import plain
from storegate.block.verify.report import Report
from storegate.block.verify.source import Source
from storegate.errors import CorruptError
from storegate.types import BlockMeta, ObjectInfo

Objects = Mapping[str, ObjectInfo]
"""By path below the block's folder."""


def read_meta(source: Source, objects: Objects, report: Report) -> BlockMeta | None:
    """The block's meta.json; None when it is absent or wrong."""
    if META_FILE not in objects:
        report.error("meta-missing", META_FILE, "it does not exist: an upload or a deletion that is not complete")
        return None
    try:
        meta = parse_meta(_whole(source, objects, META_FILE), source.ulid)
    except CorruptError as error:
        report.error("meta", META_FILE, plain(error), offset=error.offset)
        return None
    if meta.resolution not in RESOLUTIONS:
        report.error(
            "meta", META_FILE, f"thanos.downsample.resolution {meta.resolution} is not one of {RESOLUTIONS} ms"
        )
    return meta


def check_marks(source: Source, objects: Objects, report: Report) -> None:
    """Marks can be read; a broken one does not harm the block."""
    for path in sorted(MARK_FILES & objects.keys()):
        data = _whole(source, objects, path)
        try:
            if path == DELETION_MARK_FILE:
                parse_deletion_mark(data, source.ulid)
            else:
                Members(parse_object(data, path), path).integer("version")
        except CorruptError as error:
            report.warning("mark", path, plain(error), offset=error.offset)


def check_files(meta: BlockMeta | None, objects: Objects, report: Report) -> None:
    """What meta.json says is there, with the right size, and nothing else."""
    told = {} if meta is None else dict(meta.files)
    named = {f"{CHUNKS}{name}" for name in meta.segment_files} if meta is not None else set()
    needed = {INDEX_FILE, *told, *named}
    for path in sorted(needed - objects.keys()):
        report.error("object-missing", path, "it does not exist")
    for path in sorted(told.keys() & objects.keys()):
        size = objects[path].size
        if size is not None and size != told[path]:
            report.error("object-size", path, f"it has {size} bytes, but meta.json says {told[path]}")
    known = needed | {META_FILE} | MARK_FILES
    unlisted = bool(named or told)
    for path in sorted(objects.keys() - known):
        if unlisted or not path.startswith(CHUNKS):
            report.warning("object-unknown", path, "it is no part of the block")


def _whole(source: Source, objects: Objects, path: str) -> bytes:
    size = objects[path].size
    assert size is not None, "a recursive listing has sizes"
    return source.read(path, 0, size)
