"""The `storegate` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `storegate` script: exit code 0 for success, 1 for a failure, 2 for wrong usage."""
    from storegate.cli.root import run

    sys.exit(run(arguments))
