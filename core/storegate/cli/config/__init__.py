"""`storegate config`: what a configuration says, whether it is sound, and what may be in one. Nothing is opened."""

from __future__ import annotations

import click

from storegate.cli.config import check, schema, show


@click.group()
def config() -> None:
    """Check and show configurations."""


for module in (check, show, schema):
    config.add_command(module.command)
