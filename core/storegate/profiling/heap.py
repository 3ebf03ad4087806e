"""What memory holds, without a cost before the question."""

from __future__ import annotations

import gc
import resource
import sys
import threading
import tracemalloc
from pathlib import Path

from storegate.profiling.profile import Frame, Profile

TRACED_FRAMES = 16
_KINDS = (("inuse_objects", "count"), ("inuse_space", "bytes"))


def census() -> Profile:
    """Objects by type, those that the garbage collector knows and has not been told to leave alone (gc.freeze).

    Sizes are those of the objects alone, without what they refer to.
    """
    profile = Profile(kinds=_KINDS, period=1)
    for thing in gc.get_objects():
        kind = type(thing)
        try:
            size = sys.getsizeof(thing)
        except Exception:  # a class may say nonsense about itself
            size = 0
        profile.add((Frame(f"{kind.__module__}.{kind.__qualname__}"),), "", 1, size)
    return profile


def traced_profile() -> Profile | None:
    """Memory by the calls that took it; None unless allocations are traced (PYTHONTRACEMALLOC=16, say)."""
    return _profile(tracemalloc.take_snapshot()) if tracemalloc.is_tracing() else None


def new_memory(seconds: float, stop: threading.Event) -> Profile:
    """Memory that was taken within so many seconds, or until `stop`, and is still held, by the calls that took it.

    Allocations are traced only meanwhile, which makes Python code slower by half or so. Blocks. Raises RuntimeError
    when they are traced already.
    """
    if tracemalloc.is_tracing():
        raise RuntimeError("allocations are traced already")
    tracemalloc.start(TRACED_FRAMES)
    try:
        stop.wait(seconds)
        return _profile(tracemalloc.take_snapshot())
    finally:
        tracemalloc.stop()


def _profile(snapshot: tracemalloc.Snapshot) -> Profile:
    profile = Profile(kinds=_KINDS, period=1)
    own = tracemalloc.Filter(False, tracemalloc.__file__)
    for statistic in snapshot.filter_traces([own]).statistics("traceback"):
        stack = tuple(
            Frame(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}", frame.filename, frame.lineno)
            for frame in statistic.traceback
        )
        profile.add(stack[::-1], "", statistic.count, statistic.size)
    return profile


def process_memory() -> dict[str, int]:
    """What the kernel and the collector say about the process: bytes and counts."""
    found = {"max_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "RssAnon", "RssFile", "VmSize"):
            found[f"{name}_bytes"] = int(value.split()[0]) * 1024
    found["gc_frozen_objects"] = gc.get_freeze_count()
    for generation, count in enumerate(gc.get_count()):
        found[f"gc_generation_{generation}"] = count
    return found
