"""`storegate bucket ls`: every block, one by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from storegate.block.verify.labels import printable
from storegate.cli.bucket.bucket import open_bucket
from storegate.cli.bucket.documents import row_document, show_json
from storegate.cli.bucket.options import (
    SHOW,
    chosen,
    json_option,
    option,
    selection_options,
    shared_options,
    sort_option,
)
from storegate.cli.bucket.phrases import colour_of, mark_note, summary
from storegate.cli.bucket.rows import BlockRow, State, block_rows
from storegate.cli.bucket.selection import ordered
from storegate.cli.bucket.tables import BOUNDLESS, NOTHING, Column, Row, Table, say, terminal_width
from storegate.cli.bucket.words import count, labels, minute, resolution, size, span
from storegate.cli.flag_options import FlagCommand

COLUMNS = (
    Column("ULID"),
    Column("FROM"),
    Column("UNTIL", ""),
    Column("RANGE", right=True),
    Column("RES"),
    Column("LVL", "level {}", right=True),
    Column("SERIES", "{} series", right=True),
    Column("SAMPLES", "{} samples", right=True),
    Column("CHUNKS", "{} chunks", right=True),
    Column("SIZE", right=True),
    Column("SOURCE", "{}"),
    Column("STATE", coloured=True),
    Column("LABELS", "{}", rank=0),
)
NEVER = -(2**63)
KEYS: dict[str, Callable[[BlockRow], Any]] = {
    "ulid": lambda row: row.ulid,
    "from": lambda row: row.meta.min_time if row.meta else NEVER,
    "until": lambda row: row.meta.max_time if row.meta else NEVER,
    "range": lambda row: row.meta.max_time - row.meta.min_time if row.meta else -1,
    "resolution": lambda row: row.meta.resolution if row.meta else -1,
    "level": lambda row: row.meta.level if row.meta else -1,
    "series": lambda row: row.meta.num_series if row.meta else -1,
    "samples": lambda row: row.meta.num_samples if row.meta else -1,
    "chunks": lambda row: row.meta.num_chunks if row.meta else -1,
    "size": lambda row: row.size,
    "labels": lambda row: sorted(row.meta.labels.items()) if row.meta else [],
    "source": lambda row: row.meta.source if row.meta else "",
    "state": lambda row: list(State).index(row.state),
}


def _ls(**values: Any) -> int:
    """List the blocks of a bucket with what a gateway would do with each.

    STATE is ok for a block that it would serve, filtered, broken (it would go to quarantine), partial (no meta.json),
    corrupt (a wrong meta.json) or failed (a meta.json that cannot be read).
    """
    line = chosen(values)
    with open_bucket(line.flags) as bucket:
        rows = [row for row in block_rows(bucket, load=line.own["load"]) if line.selection.takes(row)]
    rows = ordered(rows, KEYS, line.own["sort"] or ("from", "ulid"), reverse=line.own["reverse"])
    if line.own["as_json"]:
        show_json([row_document(row) for row in rows])
        return 0
    width = terminal_width()
    now = time.time_ns() // 1_000_000
    if rows:
        say(Table(COLUMNS, [table_row(row, now) for row in rows]).render(width))
    if width < BOUNDLESS or not rows:
        say(summary(rows))
    return 0


command = FlagCommand(
    "ls",
    callback=_ls,
    help=_ls.__doc__,
    short_help="List blocks, and what a gateway would do with each.",
    params=[
        *shared_options(),
        *selection_options(),
        *sort_option(KEYS, "from"),
        option(
            ["--load"],
            SHOW,
            "Also open the index of each block that would be served, as a gateway would.",
            is_flag=True,
        ),
        json_option("a list"),
    ],
)


def table_row(row: BlockRow, now: int) -> Row:
    """A block's line."""
    meta = row.meta
    told = (NOTHING,) * 8
    if meta is not None:
        told = (
            minute(meta.min_time),
            minute(meta.max_time),
            span(meta.max_time - meta.min_time),
            resolution(meta.resolution),
            str(meta.level),
            count(meta.num_series),
            count(meta.num_samples),
            count(meta.num_chunks),
        )
    source = printable(meta.source) if meta is not None and meta.source else NOTHING
    external = NOTHING if meta is None else labels(meta.labels)
    cells = (row.ulid, *told, size(row.size), source, row.state, external)
    return Row(cells, colour_of(row.state), notes(row, now))


def notes(row: BlockRow, now: int) -> list[str]:
    """What is to be said about a block that is not as it should be, or that is marked."""
    found = []
    if row.state == State.FILTERED:
        found.append(f"{printable(row.reason)} (filter {row.by})")
    elif row.reason:
        found.append(printable(row.reason))
    found += [mark_note(kind, mark, now) for kind, mark in sorted(row.marks.items())]
    return found + [printable(problem) for problem in row.problems if problem.partition(" ")[0] not in row.reason]
