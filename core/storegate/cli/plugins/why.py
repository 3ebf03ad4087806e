"""`storegate plugins why`."""

from __future__ import annotations

import json
from typing import Any

import click

from storegate.cli.plugins.options import HELP, options, subject, table
from storegate.plugin_report import plugin_report

COLUMNS = ("place", "provider", "distribution", "version", "why")


def _why(as_json: bool, **values: Any) -> int:
    """For each place of the pipeline: what is in it, who provides it, and why."""
    entries = plugin_report(*subject(values))["pipeline"]
    if as_json:
        click.echo(json.dumps(entries, indent=2))
    else:
        click.echo(table(COLUMNS, [_row(entry) for entry in entries]))
    return 0


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    provider = entry["provider"] or (f"{entry['type']} (missing)" if entry["type"] else "nothing")
    why = entry["why"] + (f"; {entry['problem']}" if entry["problem"] else "")
    return entry["place"], provider, entry["distribution"] or "-", entry["version"] or "-", why


command = click.Command("why", callback=_why, params=options(), help=f"{_why.__doc__} {HELP}")
