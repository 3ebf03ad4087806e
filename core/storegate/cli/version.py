"""`storegate version`."""

from __future__ import annotations

import platform

import click

from storegate.cli.root import version_text


@click.command()
def version() -> None:
    """Show the versions of storegate and Python, and the machine."""
    click.echo(f"storegate, version {version_text()}")
    click.echo(f"  python:   {platform.python_version()}")
    click.echo(f"  platform: {platform.system().lower()}/{platform.machine()}")
