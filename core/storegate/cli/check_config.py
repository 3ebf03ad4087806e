"""`storegate config check`: reads a configuration as `store` would, the plugins' settings too, and opens nothing."""

from __future__ import annotations

import click

from storegate.config.flags import configure
from storegate.config.settings import ComponentRef, Settings
from storegate.config.validation import check
from storegate.errors import ConfigurationError
from storegate.manager import PluginManager


@click.group()
def config() -> None:
    """Check configuration files."""


@config.command("check")
@click.argument("file", type=click.Path(dir_okay=False))
def check_file(file: str) -> None:
    """Check a configuration FILE (storegate.yml) without starting anything."""
    settings = configure({"config": file}).settings
    manager = PluginManager.load(settings.plugins.disable, settings.plugins.allow)
    problems = check_components(settings, manager)
    if problems:
        raise ConfigurationError(f"{file}: " + "; ".join(problems))
    click.echo(f"{file}: ok")


def check_components(settings: Settings, manager: PluginManager) -> list[str]:
    """What is wrong with the references to plugins, a sentence each."""
    problems = []
    for kind, where, ref in component_refs(settings):
        try:
            provider = manager.get(kind, ref.type, where=where).provider
            check(provider.config, ref.config, path=f"{where}.config")
        except ConfigurationError as error:
            problems.append(str(error))
    return problems


def component_refs(settings: Settings) -> list[tuple[str, str, ComponentRef]]:
    """(kind, path of the setting, reference) of each place that a plugin fills."""
    refs: list[tuple[str, str, ComponentRef]] = [
        ("object_store", "object_store", settings.object_store),
        ("cache", "index_cache", settings.index_cache),
        ("partitioner", "partitioner", settings.partitioner),
    ]
    if settings.caching_bucket:
        refs.append(("cache", "caching_bucket", settings.caching_bucket))
    for kind, where, listed in (
        ("meta_filter", "meta_filters", settings.meta_filters),
        ("frontend", "frontends", settings.frontends),
        ("observer", "observers", settings.observers),
    ):
        refs += [(kind, f"{where}[{index}]", ref) for index, ref in enumerate(listed)]
    return refs
