"""The blocks as the map takes them: short rows, label sets and reasons once each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from storegate.block.status import BlockStatus

if TYPE_CHECKING:
    from storegate.gateway import Gateway

COLUMNS = (
    "ulid", "min", "max", "resolution", "level", "set", "state", "reason", "filter", "size", "series", "samples",
    "chunks", "source", "uploaded", "deletion", "noCompact",
)  # fmt: skip
"""Members of a row, in order. Times are ms; `set`, `state`, `reason`, `filter` and `source` are indexes of lists."""


def blocks_document(gateway: Gateway) -> bytes:
    """JSON: `blocks` are rows, the other members what they refer to."""
    chosen = gateway.chosen_blocks()
    lists: dict[str, dict[Any, int]] = {name: {} for name in ("sets", "states", "reasons", "filters", "sources")}
    rows = [_row(status, lists) for status in gateway.blocks()]
    return _json(
        {
            "columns": COLUMNS,
            "blocks": rows,
            **{name: list(found) for name, found in lists.items()},
            "group": gateway.settings.web.group_label,
            "refreshed": chosen.refreshed,
            "error": chosen.error,
            "ready": gateway.ready,
        }
    )


def block_document(gateway: Gateway, ulid: str) -> bytes | None:
    """JSON of all that is known of one block; None when there is no such block."""
    status = _find(gateway, ulid)
    if status is None:
        return None
    held = gateway.chosen_blocks().quarantined.get(ulid)
    mark = status.deletion
    return _json(
        {
            "ulid": ulid,
            "state": state_of(status),
            "reason": status.reason,
            "filter": status.filtered_by,
            "deletion": None if mark is None else {"time": mark.deletion_time, "details": mark.details},
            "noCompact": status.no_compact,
            "quarantined": None if held is None else {"since": held.since, "tries": held.tries},
            "meta": None if status.meta is None else status.meta.document,
        }
    )


def meta_document(gateway: Gateway, ulid: str) -> bytes | None:
    """The meta.json of a block, for people: indented, members as they were. None when there is none."""
    status = _find(gateway, ulid)
    if status is None or status.meta is None:
        return None
    return json.dumps(dict(status.meta.document), ensure_ascii=False, indent=2).encode(errors="replace")


def state_of(status: BlockStatus) -> str:
    """The state as it is coloured: a loaded block that will be deleted is `marked`."""
    return "marked" if status.state == "loaded" and status.deletion is not None else status.state


def _find(gateway: Gateway, ulid: str) -> BlockStatus | None:
    return next((status for status in gateway.blocks() if status.ulid == ulid), None)


def _row(status: BlockStatus, lists: dict[str, dict[Any, int]]) -> list[Any]:
    meta, mark = status.meta, status.deletion

    def index(name: str, value: Any) -> int:
        found = lists[name]
        return found.setdefault(value, len(found))

    labels = tuple(sorted(meta.labels.items())) if meta is not None else None
    return [
        status.ulid,
        meta.min_time if meta else None,
        meta.max_time if meta else None,
        meta.resolution if meta else 0,
        meta.level if meta else 0,
        index("sets", labels),
        index("states", state_of(status)),
        index("reasons", status.reason),
        index("filters", status.filtered_by),
        status.size,
        meta.num_series if meta else 0,
        meta.num_samples if meta else 0,
        meta.num_chunks if meta else 0,
        index("sources", meta.source if meta else ""),
        meta.upload_time if meta else None,
        mark.deletion_time if mark else None,
        int(status.no_compact),
    ]


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
