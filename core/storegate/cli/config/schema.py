"""`storegate config schema`: what may be in a storegate.yml, as editors and checkers read it."""

from __future__ import annotations

import inspect
import json

import click

from storegate.manager import PluginManager
from storegate.settings_schema import settings_schema


def _schema() -> int:
    """Print the JSON schema of storegate.yml, with the settings of every installed plugin.

    Point an editor at it to have keys completed and checked.
    """
    click.echo(json.dumps(settings_schema(PluginManager.load()), indent=2, ensure_ascii=False))
    return 0


command = click.Command("schema", callback=_schema, help=inspect.getdoc(_schema))
