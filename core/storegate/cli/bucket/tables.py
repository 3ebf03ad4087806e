"""Tables that fit the terminal: one line for each row where that fits, else a line of main columns and the rest below.

Text may hold colours, which `say` leaves out where they are not wanted.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import click

GAP = "  "
INDENT = "    "
NOTHING = "-"
"""The cell of a value that is not known."""
BOUNDLESS = 1 << 30


@dataclass(frozen=True, slots=True)
class Column:
    """A column. Where rows are folded, those without `folded` stay on the first line.

    The others follow on later lines in this form, by `rank`; an empty form leaves a column out.
    """

    title: str
    folded: str | None = None
    rank: int = 1
    right: bool = False
    coloured: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One cell for each column, the colour of the coloured ones, sentences for below, and a line for above."""

    cells: Sequence[str]
    colour: str | None = None
    notes: Sequence[str] = ()
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows."""

    columns: Sequence[Column]
    rows: list[Row] = field(default_factory=list)

    def render(self, width: int) -> str:
        """The lines; none is longer than `width` as long as the main columns and single words are not."""
        whole = list(range(len(self.columns)))
        if sum(self._widths(whole)) + len(GAP) * (len(whole) - 1) <= width:
            return "\n".join(self._lines(whole, [], width))
        main = [i for i in whole if self.columns[i].folded is None]
        rest = [i for i in whole if self.columns[i].folded]
        return "\n".join(self._lines(main, sorted(rest, key=lambda i: self.columns[i].rank), width))

    def _lines(self, first: Sequence[int], rest: Sequence[int], width: int) -> list[str]:
        widths = self._widths(first)
        lines = [click.style(self._line([column.title for column in self.columns], first, widths, None), bold=True)]
        for row in self.rows:
            lines += [click.style(row.heading, fg="cyan")] if row.heading else []
            lines.append(self._line(row.cells, first, widths, row.colour))
            parts = [str(self.columns[i].folded).format(row.cells[i]) for i in rest if row.cells[i] != NOTHING]
            lines += [click.style(more, dim=True) for more in wrap(parts, width)]
            colour = "red" if row.colour == "red" else "yellow"
            lines += [click.style(more, fg=colour) for note in row.notes for more in wrap(note.split(" "), width, " ")]
        return lines

    def _line(self, cells: Sequence[str], shown: Sequence[int], widths: Sequence[int], colour: str | None) -> str:
        padded = []
        for i, width in zip(shown, widths, strict=True):
            column, cell = self.columns[i], cells[i]
            pad = " " * (width - len(cell))
            text = click.style(cell, fg=colour) if column.coloured and colour else cell
            padded.append(pad + text if column.right else text + pad)
        return GAP.join(padded).rstrip()

    def _widths(self, shown: Sequence[int]) -> list[int]:
        return [max(len(self.columns[i].title), *(len(row.cells[i]) for row in self.rows), 0) for i in shown]


def wrap(parts: Sequence[str], width: int, gap: str = GAP, indent: str = INDENT, hanging: str = "") -> list[str]:
    """Indented lines of whole parts, as many on each as fit; those behind the first are indented by `hanging` more."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(gap) + len(part) <= width:
            lines[-1] += gap + part
        else:
            lines.append(indent + (hanging if lines else "") + part)
    return lines


def terminal_width() -> int:
    """Columns of the terminal; without bound when the output goes elsewhere, where lines are better whole."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else BOUNDLESS


def say(text: str) -> None:
    """Print lines, with colours on a terminal that wants them (https://no-color.org)."""
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
