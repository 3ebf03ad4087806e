"""`storegate bucket verify`: reads blocks whole and says what is wrong with them, and where."""

from __future__ import annotations

from typing import Any

import click

from storegate.block.discovery import CHUNKS, INDEX_FILE
from storegate.block.verify import verify_block
from storegate.cli.bucket.bucket import Bucket, open_bucket
from storegate.cli.bucket.documents import show_json
from storegate.cli.bucket.inspect import check_ulids
from storegate.cli.bucket.options import OUTPUT, SHOW, chosen, json_option, option, selection_options, shared_options
from storegate.cli.bucket.progress import Bar
from storegate.cli.bucket.rows import State, block_rows
from storegate.cli.bucket.selection import Selection
from storegate.cli.bucket.tables import say, terminal_width
from storegate.cli.bucket.verdicts import Outcome, is_sound, outcome_text, outcomes_document, summary_text
from storegate.cli.flag_options import FlagCommand
from storegate.errors import StoregateError

LIMIT = 100
"""Problems after which a block is left."""


def _verify(**values: Any) -> int:
    """Read blocks whole: meta.json, every section of the index, every series, every chunk with its samples.

    Prints what is wrong and where. The exit code is 1 when something is damaged or could not be read, else 0; warnings,
    which are about bytes that no answer depends on, do not count.
    """
    line = chosen(values)
    ulids, everything = check_ulids(line.own["ulids"]), line.own["all"]
    if bool(ulids) == everything:
        raise click.UsageError("give either ULIDs or --all", click.get_current_context(silent=True))
    if ulids and line.selection != Selection():
        raise click.UsageError("options that choose blocks go with --all", click.get_current_context(silent=True))
    with open_bucket(line.flags) as bucket:
        sizes, passed_over = _all_blocks(bucket, line.selection) if everything else (_sizes(bucket, ulids), [])
        outcomes = _verify_each(bucket, sizes, line.own)
    if line.own["as_json"]:
        show_json(outcomes_document(outcomes, passed_over))
    elif len(outcomes) != 1 or passed_over:
        say(summary_text(outcomes, passed_over))
    return 0 if all(map(is_sound, outcomes.values())) else 1


command = FlagCommand(
    "verify",
    callback=_verify,
    help=_verify.__doc__,
    short_help="Read blocks whole and say what is wrong, and where.",
    params=[
        click.Argument(["ulids"], nargs=-1, metavar="[ULID]..."),
        *shared_options(),
        option(["--all"], SHOW, "Verify all blocks that have a meta.json.", is_flag=True),
        *selection_options(),
        option(
            ["--max-problems"],
            OUTPUT,
            f"Leave a block after so many problems; 0: never. [default: {LIMIT}]",
            type=click.IntRange(min=0),
            default=LIMIT,
            metavar="N",
        ),
        option(["--quiet", "-q"], OUTPUT, "Print nothing about sound blocks.", is_flag=True),
        json_option("the outcome"),
    ],
)


def _all_blocks(bucket: Bucket, selection: Selection) -> tuple[dict[str, int], list[str]]:
    """Sizes of the blocks to verify, and those that are not uploaded yet or half deleted."""
    rows = [row for row in block_rows(bucket) if selection.takes(row)]
    sizes = {row.ulid: row.size_of(INDEX_FILE) + row.size_of(CHUNKS) for row in rows if row.state is not State.PARTIAL}
    return sizes, [row.ulid for row in rows if row.state is State.PARTIAL]


def _sizes(bucket: Bucket, ulids: list[str]) -> dict[str, int]:
    """Bytes below each block's folder."""
    return {ulid: sum(info.size or 0 for info in bucket.store.list(f"{ulid}/", recursive=True)) for ulid in ulids}


def _verify_each(bucket: Bucket, sizes: dict[str, int], own: dict[str, Any]) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    with Bar(sum(sizes.values())) as bar:
        for ulid, size in sizes.items():
            bar.begin(ulid)
            outcome = outcomes[ulid] = _verify_one(bucket, ulid, own["max_problems"], bar)
            bar.end(size)
            if not own["as_json"] and not (own["quiet"] and is_sound(outcome)):
                bar.say(outcome_text(ulid, outcome, terminal_width()))
    return outcomes


def _verify_one(bucket: Bucket, ulid: str, limit: int, bar: Bar) -> Outcome:
    try:
        return verify_block(bucket.store, ulid, limit=limit, progress=lambda read, total: bar.at(read))
    except StoregateError as error:  # of the store: the next block may be readable
        return error
