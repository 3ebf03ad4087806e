"""`storegate plugins list`."""

from __future__ import annotations

import json
from typing import Any

import click

from storegate.cli.plugins.options import HELP, options, subject, table
from storegate.plugin_report import plugin_report

COLUMNS = ("kind", "name", "state", "plugin", "distribution", "version", "import", "note")


def _list(as_json: bool, **values: Any) -> int:
    """List providers by kind, and the plugins that are broken or disabled."""
    entries = plugin_report(*subject(values))["providers"]
    if as_json:
        click.echo(json.dumps(entries, indent=2))
    else:
        click.echo(table(COLUMNS, [_row(entry) for entry in entries]))
    return 0


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    names = (entry["kind"] or "-", entry["name"] or "-", entry["state"])
    origin = (entry["plugin"], entry["distribution"], entry["version"], f"{entry['importSeconds'] * 1000:.0f} ms")
    note = f"{entry['cause']}: {entry['fix']}" if entry["cause"] else entry["summary"]
    used = f"[{', '.join(entry['usedIn'])}] " if entry["usedIn"] else ""
    return (*names, *origin, used + note)


command = click.Command("list", callback=_list, params=options(), help=f"{_list.__doc__} {HELP}")
