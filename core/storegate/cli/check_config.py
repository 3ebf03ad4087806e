"""`storegate config check`: reads a configuration as `store` would, the plugins' settings too, and opens nothing."""

from __future__ import annotations

import click

from storegate.config.flags import configure
from storegate.config.settings import Settings
from storegate.config.validation import check
from storegate.errors import ConfigurationError
from storegate.manager import PluginManager
from storegate.plugin_places import places
from storegate.safe_mode import settings_in_force


@click.group()
def config() -> None:
    """Check configuration files."""


@config.command("check")
@click.argument("file", type=click.Path(dir_okay=False))
def check_file(file: str) -> None:
    """Check a configuration FILE (storegate.yml) without starting anything."""
    settings = configure({"config": file}).settings
    manager = PluginManager.load_for(settings.plugins)
    problems = check_components(settings, manager)
    if problems:
        raise ConfigurationError(f"{file}: " + "; ".join(problems))
    click.echo(f"{file}: ok")


def check_components(settings: Settings, manager: PluginManager) -> list[str]:
    """What is wrong with the references to plugins, a sentence each."""
    problems = []
    in_force, _ = settings_in_force(settings, manager)
    for place in places(in_force):
        if place.ref is None:
            continue
        try:
            provider = manager.get(place.kind, place.ref.type, where=place.setting).provider
            check(provider.config, place.ref.config, path=f"{place.setting}.config")
        except ConfigurationError as error:
            problems.append(str(error))
    return problems
