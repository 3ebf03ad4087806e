"""The `storegate` command."""

from __future__ import annotations


def main() -> None:
    """Entry point of the `storegate` script."""
    from storegate.cli.root import root

    root()
