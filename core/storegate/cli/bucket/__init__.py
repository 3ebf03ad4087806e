"""`storegate bucket`: what lies in the bucket, and whether it is sound."""

from __future__ import annotations

import click

from storegate.cli.bucket import inspect, ls, verify


@click.group()
def bucket() -> None:
    """List, inspect and verify the blocks of a bucket. Nothing is written to it."""


for module in (ls, inspect, verify):
    bucket.add_command(module.command)
