"""`storegate bucket inspect`: what there is of each label set, resolution and level; or one block in full."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from storegate.block.ulids import is_ulid
from storegate.cli.bucket.bucket import open_bucket
from storegate.cli.bucket.details import detail_document, detail_text, read_detail
from storegate.cli.bucket.documents import show_json
from storegate.cli.bucket.options import chosen, json_option, selection_options, shared_options, sort_option
from storegate.cli.bucket.phrases import colour_of, summary
from storegate.cli.bucket.rows import BlockRow, State, block_rows, state_counts, total_size
from storegate.cli.bucket.selection import ordered
from storegate.cli.bucket.tables import BOUNDLESS, Column, Row, Table, say, terminal_width
from storegate.cli.bucket.words import count, labels, minute, resolution, rfc3339, size
from storegate.cli.flag_options import FlagCommand
from storegate.errors import NotFoundError
from storegate.types import BlockMeta

COLUMNS = (
    Column("RES"),
    Column("LVL", right=True),
    Column("BLOCKS", right=True),
    Column("FROM"),
    Column("UNTIL"),
    Column("SERIES", right=True),
    Column("SAMPLES", right=True),
    Column("CHUNKS", "", right=True),
    Column("SIZE", right=True),
)


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks of one external label set, resolution and level; each has a readable meta.json."""

    labels: Mapping[str, str]
    resolution: int
    level: int
    rows: Sequence[BlockRow]
    metas: Sequence[BlockMeta]

    def total(self, number: str) -> int:
        """The sum of one number of their metas."""
        return sum(getattr(meta, number) for meta in self.metas)

    @property
    def min_time(self) -> int:
        return min(meta.min_time for meta in self.metas)

    @property
    def max_time(self) -> int:
        return max(meta.max_time for meta in self.metas)


KEYS: dict[str, Callable[[Group], Any]] = {
    "labels": lambda group: sorted(group.labels.items()),
    "resolution": lambda group: group.resolution,
    "level": lambda group: group.level,
    "blocks": lambda group: len(group.rows),
    "from": lambda group: group.min_time,
    "until": lambda group: group.max_time,
    "series": lambda group: group.total("num_series"),
    "samples": lambda group: group.total("num_samples"),
    "chunks": lambda group: group.total("num_chunks"),
    "size": lambda group: total_size(group.rows),
}


def _inspect(**values: Any) -> int:
    """Show what a bucket holds of each external label set, resolution and compaction level.

    With ULIDs, show these blocks in full: what meta.json says, objects, marks, and the labels of the index.
    """
    line = chosen(values)
    ulids = check_ulids(line.own["ulids"])
    with open_bucket(line.flags) as bucket:
        rows = block_rows(bucket)
        if ulids:
            known = {row.ulid: row for row in rows}
            for ulid in ulids:
                if ulid not in known:
                    raise NotFoundError(f"block {ulid} does not exist")
            details = [read_detail(bucket.store, known[ulid]) for ulid in ulids]
            if line.own["as_json"]:
                show_json([detail_document(detail) for detail in details])
            else:
                say("\n\n".join(detail_text(detail, terminal_width()) for detail in details))
            return 0
    rows = [row for row in rows if line.selection.takes(row)]
    groups = ordered(
        grouped(rows), KEYS, line.own["sort"] or ("labels", "resolution", "level"), reverse=line.own["reverse"]
    )
    if line.own["as_json"]:
        show_json(overview_document(groups, rows))
    else:
        show_overview(groups, rows, terminal_width())
    return 0


command = FlagCommand(
    "inspect",
    callback=_inspect,
    help=_inspect.__doc__,
    short_help="Sum up label sets and resolutions, or show one block.",
    params=[
        click.Argument(["ulids"], nargs=-1, metavar="[ULID]..."),
        *shared_options(),
        *selection_options(),
        *sort_option(KEYS, "labels, resolution, level"),
        json_option("the overview, or a list of blocks,"),
    ],
)


def check_ulids(ulids: Sequence[str]) -> list[str]:
    """The names of blocks, each once. Raises click.BadParameter for what is none."""
    for ulid in ulids:
        if not is_ulid(ulid):
            raise click.BadParameter(f"{ulid!r} is not a ULID (26 characters, upper case)")
    return list(dict.fromkeys(ulids))


def grouped(rows: Sequence[BlockRow]) -> list[Group]:
    """Blocks by label set, resolution and level; those without a readable meta.json have no group."""
    groups: dict[Any, tuple[list[BlockRow], list[BlockMeta]]] = {}
    for row in rows:
        if row.meta is not None:
            key = tuple(sorted(row.meta.labels.items())), row.meta.resolution, row.meta.level
            members, metas = groups.setdefault(key, ([], []))
            members.append(row)
            metas.append(row.meta)
    return [Group(dict(pairs), res, level, *members) for (pairs, res, level), members in groups.items()]


def show_overview(groups: Sequence[Group], rows: Sequence[BlockRow], width: int) -> None:
    """Print the table, and what is in no group."""
    table = Table(COLUMNS)
    heading = None
    for group in groups:
        title = labels(group.labels)
        table.rows.append(group_row(group, title if title != heading else ""))
        heading = title
    if groups:
        say(table.render(width))
    if width < BOUNDLESS or not groups:
        say(summary(rows))


def group_row(group: Group, heading: str) -> Row:
    """A group's line."""
    cells = (
        resolution(group.resolution),
        str(group.level),
        str(len(group.rows)),
        minute(group.min_time),
        minute(group.max_time),
        count(group.total("num_series")),
        count(group.total("num_samples")),
        count(group.total("num_chunks")),
        size(total_size(group.rows)),
    )
    odd = [f"{number} {state}" for state, number in state_counts(group.rows).items() if state != State.OK]
    worst = "red" if any(colour_of(row.state) == "red" for row in group.rows) else None
    return Row(cells, worst, [", ".join(odd)] if odd else [], heading)


def overview_document(groups: Sequence[Group], rows: Sequence[BlockRow]) -> dict[str, Any]:
    """The overview as JSON; times in ms and RFC 3339, sizes in bytes."""
    return {
        "groups": [
            {
                "labels": dict(group.labels),
                "resolution": group.resolution,
                "level": group.level,
                "blocks": len(group.rows),
                "min_time": group.min_time,
                "max_time": group.max_time,
                "from": rfc3339(group.min_time),
                "until": rfc3339(group.max_time),
                "series": group.total("num_series"),
                "samples": group.total("num_samples"),
                "chunks": group.total("num_chunks"),
                "size": total_size(group.rows),
                "states": state_counts(group.rows),
            }
            for group in groups
        ],
        "blocks": len(rows),
        "size": total_size(rows),
        "states": state_counts(rows),
        "without_meta": [row.ulid for row in rows if row.meta is None],
    }
