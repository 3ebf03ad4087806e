"""`storegate plugins check`."""

from __future__ import annotations

import json
from typing import Any

import click

from storegate.cli.plugins.options import HELP, Subject, options, subject, table
from storegate.errors import StoregateError
from storegate.plugin_places import places
from storegate.safe_mode import settings_in_force

COLUMNS = ("place", "result", "text")


def _check(as_json: bool, **values: Any) -> int:
    """Check that every plugin that the configuration needs is there and can be imported, SDKs included.

    The exit code is 1 when one is not. Broken plugins that nothing needs are shown, no more. No bucket, cache or
    address is opened.
    """
    found = subject(values)
    rows = [*_needed(found), *_others(found)]
    if as_json:
        click.echo(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=2))
    else:
        click.echo(table(COLUMNS, rows))
    return int(any(result == "broken" for _, result, _ in rows))


def _needed(found: Subject) -> list[tuple[str, str, str]]:
    in_force, changes = settings_in_force(found.settings, found.plugins)
    rows = [(setting, "warning", text) for setting, text in changes.items()]
    for place in places(in_force, changes):
        if place.ref is None:
            continue
        try:
            loaded = found.plugins.check_usable(place.kind, place.ref, where=place.setting)
        except StoregateError as error:
            rows.append((place.setting, "broken", str(error)))
        else:
            rows.append((place.setting, "ok", loaded.label))
    return rows


def _others(found: Subject) -> list[tuple[str, str, str]]:
    return [("-", "warning", f"{source.name} of {source.origin} {text}") for source, text in found.plugins.troubles()]


command = click.Command("check", callback=_check, params=options(), help=f"{_check.__doc__}\n\n{HELP}")
