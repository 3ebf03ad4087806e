"""One arena for the C library's allocator.

glibc gives each thread an arena of its own, and what a query frees in one is not there for the next query in another:
with eight clients reading slowly the process grew to twice what it needed. Threads mostly hold the interpreter's lock
while they allocate, so one arena costs no time (docs/explanation/performance.md).
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # malloc.h


def use_one_arena() -> bool:
    """Call it before threads start. False where the C library has no such setting."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1))
    except (AttributeError, OSError):
        return False
