"""A progress bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from typing import Any

import click

from storegate.cli.bucket.tables import say, terminal_width

CLEAR_LINE = "\r\x1b[K"
SHOW_CURSOR = "\x1b[?25h"
BESIDE = 40
"""Columns of label and percentage, with some room."""


class Bar:
    """Counts bytes up to `total`. Drawn on stderr when both outputs are terminals, so that no pipe or file gets it."""

    def __init__(self, total: int) -> None:
        self._done = 0
        self._base = 0
        self._bar: Any = None
        self._drawn = False
        if sys.stdout.isatty() and sys.stderr.isatty():
            width = min(max(terminal_width() - BESIDE, 1), 40)
            self._bar = click.progressbar(length=max(total, 1), file=sys.stderr, width=width, show_eta=False)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            click.echo(CLEAR_LINE + SHOW_CURSOR, nl=False, err=True)  # a bar that ends itself would leave an empty line

    def begin(self, label: str) -> None:
        """What is worked on from now on."""
        self._base = self._done
        if self._bar is not None:
            self._bar.label = label
            if not self._drawn:
                self._bar.__enter__()
            self._drawn = True

    def at(self, position: int) -> None:
        """Bytes of this work that are done."""
        self._move(self._base + position)

    def end(self, size: int) -> None:
        """This work, of so many bytes, is done."""
        self._move(self._base + size)

    def say(self, text: str) -> None:
        """Print lines above the bar."""
        if self._bar is not None:
            click.echo(CLEAR_LINE, nl=False, err=True)
        say(text)

    def _move(self, position: int) -> None:
        if self._bar is not None and position > self._done:
            self._bar.update(position - self._done)
        self._done = max(self._done, position)
