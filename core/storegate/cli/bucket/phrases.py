"""What is said about blocks in more than one place."""

from __future__ import annotations

from collections.abc import Sequence

from storegate.block.verify.labels import printable
from storegate.cli.bucket.rows import BlockRow, Mark, State, state_counts, total_size
from storegate.cli.bucket.words import minute, plural, size, span

COLOURS = {State.OK: "green", State.FILTERED: "yellow", State.PARTIAL: "yellow"}
MARKS = {"deletion": "marked for deletion", "no_compact": "no compaction", "no_downsample": "no downsampling"}


def colour_of(state: State) -> str:
    """Green, yellow for what is left out, red for what is wrong."""
    return COLOURS.get(state, "red")


def mark_note(kind: str, mark: Mark, now: int) -> str:
    """`marked for deletion since 2026-01-31 10:00 (3h ago)`."""
    what = MARKS[kind]
    if mark.time is None:
        return f"{what}: {printable(mark.details)}"
    age = now - mark.time
    since = f"{minute(mark.time)} ({span(abs(age))} {'ago' if age >= 0 else 'from now'})"
    why = ", ".join(printable(text) for text in (mark.reason, mark.details) if text)
    return f"{what} since {since}" + (f": {why}" if why else "")


def summary(rows: Sequence[BlockRow]) -> str:
    """`25 blocks, 3.4 MiB: 23 ok, 2 broken`."""
    states = ", ".join(f"{number} {state}" for state, number in state_counts(rows).items())
    return f"{plural(len(rows), 'block')}, {size(total_size(rows))}" + (f": {states}" if states else "")
