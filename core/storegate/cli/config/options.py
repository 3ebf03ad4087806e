"""Whose configuration the commands speak of: that of a file, of the flags of `storegate store`, or of both."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import click

from storegate.cli.flag_options import flag_options, given_flags
from storegate.config.flags import configure
from storegate.config.settings import Settings
from storegate.manager import PluginManager
from storegate.safe_mode import settings_in_force, warnings

SHOWN = frozenset({"config", "objstore.config-file"})
HELP = "FILE is a storegate.yml. All flags of 'storegate store' are taken, beside it or instead of it."


class Subject(NamedTuple):
    """The settings in force, the plugins as these settings load them, and sentences about what has no effect."""

    settings: Settings
    plugins: PluginManager
    notes: tuple[str, ...]


def options(*more: click.Parameter) -> list[click.Parameter]:
    """An optional FILE and the flags of `storegate store`, few of them shown in the help."""
    flags = flag_options()
    for flag in flags:
        flag.hidden = flag.name not in SHOWN
    return [click.Argument(["file"], required=False, type=click.Path(dir_okay=False)), *flags, *more]


def help_of(function: Any) -> str:
    """Its docstring, and what all these commands take."""
    return f"{inspect.getdoc(function)}\n\n{HELP}"


def subject(file: str | None, values: dict[str, Any]) -> Subject:
    """What the command line is about. Raises as `configure` does, and click.UsageError."""
    flags = given_flags(values)
    if file is not None and "config" in flags:
        raise click.UsageError("FILE and --config cannot be given together", click.get_current_context(silent=True))
    settings, notes = configure(flags if file is None else flags | {"config": file})
    plugins = PluginManager.load_for(settings.plugins)
    in_force, changes = settings_in_force(settings, plugins)
    return Subject(in_force, plugins, (*notes, *warnings(changes)))


def tell(notes: tuple[str, ...]) -> None:
    """Notes go to stderr: what is on stdout may be read by programs."""
    for note in notes:
        click.echo(f"note: {note}", err=True)
