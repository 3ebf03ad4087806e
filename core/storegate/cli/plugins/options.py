"""What the commands have in common: whose configuration they speak of, and plain tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from storegate.cli.flag_options import flag_options, given_flags
from storegate.config.flags import configure
from storegate.config.settings import Settings
from storegate.manager import PluginManager

SHOWN = frozenset({"config", "plugins.safe-mode", "objstore.config-file"})
STORES = ("config", "objstore.config", "objstore.config-file")
HELP = (
    "The configuration is that of --config and of the flags of 'storegate store', all of which are taken; without any, "
    "it is the default one without an object store."
)


class Subject(NamedTuple):
    """A configuration, and the plugins as it loads them."""

    settings: Settings
    plugins: PluginManager


def options(*arguments: click.Parameter) -> list[click.Parameter]:
    """The flags of `storegate store`, few of them shown in the help, and `--json`."""
    flags = flag_options()
    for flag in flags:
        flag.hidden = flag.name not in SHOWN
    return [*arguments, *flags, click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")]


def subject(values: dict[str, Any]) -> Subject:
    """What the command line is about. Raises as `configure` does."""
    flags = given_flags({name: value for name, value in values.items() if isinstance(value, tuple | list)})
    if any(name in flags for name in STORES):
        settings = configure(flags).settings
    else:
        settings = configure(flags | {"objstore.config": "{type: NONE}"}).settings
        settings = settings.model_copy(update={"object_store": None})
        settings.model_fields_set.discard("object_store")
    return Subject(settings, PluginManager.load_for(settings.plugins))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text columns, the last one as wide as it needs."""
    lines = [tuple(name.upper() for name in columns), *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    )
