"""Blocks as JSON. Keys stay as they are; new ones may come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from storegate.block.discovery import CHUNKS, INDEX_FILE
from storegate.cli.bucket.rows import BlockRow, Mark
from storegate.cli.bucket.words import rfc3339


def show_json(document: Any) -> None:
    """Print a document."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def row_document(row: BlockRow) -> dict[str, Any]:
    """One block; what only its meta.json can tell is null without it. Times are ms or RFC 3339, sizes are bytes."""
    meta = row.meta
    known: dict[str, Any] = dict.fromkeys(
        ("labels", "min_time", "max_time", "from", "until", "resolution", "level", "source", "uploaded")
    ) | dict.fromkeys(("series", "samples", "chunks"))
    if meta is not None:
        known = {
            "labels": dict(meta.labels),
            "min_time": meta.min_time,
            "max_time": meta.max_time,
            "from": rfc3339(meta.min_time),
            "until": rfc3339(meta.max_time),
            "resolution": meta.resolution,
            "level": meta.level,
            "source": meta.source,
            "uploaded": rfc3339(meta.upload_time),
            "series": meta.num_series,
            "samples": meta.num_samples,
            "chunks": meta.num_chunks,
        }
    return {
        "ulid": row.ulid,
        "state": row.state,
        "reason": row.reason,
        "filter": row.by,
        "created": rfc3339(row.created),
        **known,
        "size": row.size,
        "index_size": row.size_of(INDEX_FILE),
        "chunks_size": row.size_of(CHUNKS),
        "segments": sum(path.startswith(CHUNKS) for path in row.listing.objects),
        "marks": mark_documents(row.marks),
        "problems": list(row.problems),
    }


def mark_documents(marks: Mapping[str, Mark]) -> dict[str, Any]:
    """Marks by kind; the time is null when the mark cannot be read, and `details` then says why."""
    return {
        kind: {"time": rfc3339(mark.time), "reason": mark.reason, "details": mark.details}
        for kind, mark in sorted(marks.items())
    }
