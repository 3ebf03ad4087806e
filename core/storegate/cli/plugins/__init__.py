"""`storegate plugins`: what is installed, what of it is used, why, and what is wrong with it."""

from __future__ import annotations

import click

from storegate.cli.plugins import check, listing, show, why


@click.group()
def plugins() -> None:
    """Show the installed plugins, and what they do in a configuration."""


for module in (listing, show, check, why):
    plugins.add_command(module.command)
