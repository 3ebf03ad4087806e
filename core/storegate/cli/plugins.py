"""`storegate plugins list`: what is installed, where it came from, what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from storegate.manager import KINDS, PluginManager


@click.group()
def plugins() -> None:
    """Show the installed plugins."""


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_plugins(as_json: bool) -> None:
    """List providers and plugins, broken and disabled ones included."""
    rows = provider_rows(PluginManager.load())
    if as_json:
        click.echo(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=2))
    else:
        click.echo(table(COLUMNS, rows))


COLUMNS = ("kind", "name", "plugin", "distribution", "version", "state", "note")


def provider_rows(manager: PluginManager) -> list[tuple[str, ...]]:
    """One row for each provider, then one for each plugin that gives none."""
    rows: list[tuple[str, ...]] = []
    for kind in KINDS:
        conflicts = manager.conflicts(kind)
        for loaded in manager.providers(kind):
            source = loaded.source
            clash = loaded.name.casefold() in conflicts
            note = f"write {loaded.name}@{source.distribution}" if clash else loaded.provider.summary
            state = "conflict" if clash else source.state
            rows.append((kind, loaded.name, source.name, source.distribution, source.version, state, note))
    for source in manager.sources():
        if source.state != "loaded":
            rows.append(("-", "-", source.name, source.distribution, source.version, source.state, source.reason))
    return rows


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text columns, the last one as wide as it needs."""
    lines = [tuple(name.upper() for name in columns), *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    )
