"""`meta.json`: what a block says about itself (spec/formats.md 2)."""

from __future__ import annotations

from storegate.block.documents import UINT64, Members, parse_object
from storegate.config.units import parse_time
from storegate.errors import CorruptError
from storegate.types import BlockMeta

META_FILE = "meta.json"
META_VERSION = 1
THANOS_VERSIONS = (0, 1)  # 0 is what an absent version reads as
UNSET_TIME = parse_time("0001-01-01T00:00:00Z")
"""How Go writes a time that was never set."""


class UnsupportedMetaError(CorruptError):
    """A meta.json of a version that this program does not know: upgrade, or let the block be."""


def parse_meta(data: bytes, ulid: str) -> BlockMeta:
    """The meta of the block in the folder `ulid`.

    Raises UnsupportedMetaError for an unknown version, CorruptError for anything else that breaks a rule. The
    resolution and the segment names are judged when the block is opened, not here.
    """
    name = f"{ulid}/{META_FILE}"
    document = parse_object(data, name)
    top = Members(document, name)
    thanos = top.object("thanos")
    _check_versions(top, thanos, name)
    if top.ulid("ulid") != ulid:
        raise top.corrupt("ulid", f"is {document.get('ulid')!r}, not the name of its folder")
    min_time, max_time = top.integer("minTime"), top.integer("maxTime")
    if min_time > max_time:
        raise top.corrupt("minTime", f"{min_time} is after maxTime {max_time}")
    stats, compaction, index_stats = top.object("stats"), top.object("compaction"), thanos.object("index_stats")
    for parent in compaction.objects("parents"):
        parent.ulid("ulid")
    uploaded = thanos.parsed("upload_time", parse_time)
    return BlockMeta(
        ulid=ulid,
        min_time=min_time,
        max_time=max_time,
        resolution=thanos.object("downsample").integer("resolution"),
        labels=thanos.text_map("labels"),
        level=compaction.integer("level"),
        sources=compaction.ulids("sources"),
        source=thanos.text("source"),
        upload_time=None if uploaded == UNSET_TIME else uploaded,
        segment_files=thanos.texts("segment_files"),
        files=_sizes(thanos),
        series_max_size=max(0, index_stats.integer("series_max_size")),
        chunk_max_size=max(0, index_stats.integer("chunk_max_size")),
        num_series=stats.integer("numSeries", UINT64),
        num_samples=stats.integer("numSamples", UINT64),
        num_chunks=stats.integer("numChunks", UINT64),
        document=document,
    )


def _check_versions(top: Members, thanos: Members, name: str) -> None:
    """Before anything else is judged: the members of another version may mean something else."""
    version, thanos_version = top.integer("version"), thanos.integer("version")
    if version != META_VERSION:
        raise UnsupportedMetaError(f"version {version} is not supported, only {META_VERSION} is", object=name)
    if thanos_version not in THANOS_VERSIONS:
        raise UnsupportedMetaError(f"thanos.version {thanos_version} is not supported, only 1 is", object=name)


def _sizes(thanos: Members) -> dict[str, int]:
    """Bytes by path; files of unknown size (meta.json, by necessity) are left out."""
    sizes = ((file.text("rel_path"), file.integer("size_bytes")) for file in thanos.objects("files"))
    return {path: size for path, size in sizes if size > 0}
