"""Blocks as the API shows them: the members of meta.json that Thanos knows, in its order (operations 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storegate.block.status import ChosenBlocks
from storegate.logs import timestamp
from storegate.types import BlockMeta

NEVER = "0001-01-01T00:00:00Z"
_STATS = ("numSamples", "numFloatSamples", "numHistogramSamples", "numSeries", "numChunks", "numTombstones")


def loaded_view(blocks: ChosenBlocks, label: str) -> dict[str, Any]:
    """The data of `view=loaded`. `quarantined` is an addition: what is in the list and cannot be loaded, and why."""
    return {
        "label": label,
        "blocks": [block_json(meta) for meta in blocks.metas],
        "refreshedAt": NEVER if blocks.refreshed is None else timestamp(blocks.refreshed * 1_000_000),
        "err": blocks.error or None,
        "quarantined": {
            ulid: {"cause": held.cause, "since": timestamp(held.since * 1_000_000), "tries": held.tries}
            for ulid, held in sorted(blocks.quarantined.items())
        },
    }


def global_view(label: str) -> dict[str, Any]:
    """The data of any other view, which a store gateway does not have."""
    return {"label": label, "blocks": [], "refreshedAt": NEVER, "err": None}


def block_json(meta: BlockMeta) -> dict[str, Any]:
    """One block. Zero and empty members are left out where the reference does so, unknown ones everywhere."""
    document = meta.document
    return {
        "ulid": meta.ulid,
        "minTime": meta.min_time,
        "maxTime": meta.max_time,
        "stats": _present(document.get("stats"), _STATS),
        "compaction": _compaction(meta, _mapping(document.get("compaction"))),
        "version": document.get("version", 1),
        "thanos": _thanos(meta, _mapping(document.get("thanos"))),
    }


def _compaction(meta: BlockMeta, found: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {"level": meta.level}
    if meta.sources:
        result["sources"] = list(meta.sources)
    result |= _present(found, ("deletable",))
    if found.get("parents"):
        names = ("ulid", "minTime", "maxTime")
        result["parents"] = [{name: _mapping(parent).get(name, 0) for name in names} for parent in found["parents"]]
    return result | _present(found, ("failed", "hints"))


def _thanos(meta: BlockMeta, found: Mapping[str, Any]) -> dict[str, Any]:
    result = _present(found, ("version",))
    result["labels"] = dict(meta.labels)
    result["downsample"] = {"resolution": meta.resolution}
    result["source"] = meta.source
    if meta.segment_files:
        result["segment_files"] = list(meta.segment_files)
    if found.get("files"):
        result["files"] = [_file(_mapping(file)) for file in found["files"]]
    result |= _present(found, ("rewrites",))
    result["index_stats"] = _present(found.get("index_stats"), ("series_max_size", "chunk_max_size"))
    result |= _present(found, ("extensions",))
    result["upload_time"] = found.get("upload_time") or NEVER
    return result


def _file(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"rel_path": found.get("rel_path", "")} | _present(found, ("size_bytes", "hash"))


def _present(found: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The members that are neither absent nor zero nor empty."""
    mapping = _mapping(found)
    return {name: mapping[name] for name in names if mapping.get(name)}


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}
