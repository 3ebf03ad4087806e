"""The `storegate` command."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

LEAVING_SECONDS = 2.0


@contextmanager
def without_collection() -> Iterator[None]:
    """Imports make much and leave no garbage: looking for it takes a tenth of the start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `storegate` script: exit code 0 for success, 1 for a failure, 2 for wrong usage."""
    with without_collection():
        from storegate.cli.root import run
    code = run(arguments)
    if arguments is None:
        _leave_soon(code)
    sys.exit(code)


def _leave_soon(code: int) -> None:
    """At exit Python waits for the threads of all pools: one may wait for a bucket that does not answer."""
    leaving = threading.Timer(LEAVING_SECONDS, os._exit, (code,))
    leaving.daemon = True
    leaving.start()
