"""`storegate config check`: reads a configuration as `store` would, the plugins' settings too."""

from __future__ import annotations

from typing import Any

import click

from storegate.cli.config.options import Subject, help_of, options, subject, tell
from storegate.config.validation import check
from storegate.errors import ConfigurationError
from storegate.plugin_places import places


def _check(file: str | None, **values: Any) -> int:
    """Check a configuration without starting anything.

    The exit code is 1 when something is wrong: one line on stderr names it all.
    """
    found = subject(file, values)
    tell(found.notes)
    what = file or "the flags"
    if problems := problems_of(found):
        raise ConfigurationError(f"{what}: " + "; ".join(problems))
    click.echo(f"{what}: ok")
    return 0


def problems_of(found: Subject) -> list[str]:
    """What is wrong with the references to plugins, a sentence each."""
    problems = []
    for place in places(found.settings):
        if place.ref is None:
            continue
        try:
            provider = found.plugins.get(place.kind, place.ref.type, where=place.setting).provider
            check(provider.config, place.ref.config, path=f"{place.setting}.config")
        except ConfigurationError as error:
            problems.append(str(error))
    return problems


command = click.Command("check", callback=_check, params=options(), help=help_of(_check))
