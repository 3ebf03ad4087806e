"""Where threads spend their time, by looking at all of them a hundred times a second.

The CPU clock of each thread tells what it used since the last look; that is put down to the calls that it is in now. So
time in C code that released the interpreter counts, too, for the call that led there.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import FrameType

from storegate.profiling.profile import Frame, Profile, Stack, stack_of

INTERVAL = 0.01  # s
OUTSIDE: Stack = (Frame("(threads outside Python)"),)
_NUMBER = re.compile(r"[-_ ]?\(?\d[\d_-]*\)?$")


def cpu_profile(seconds: float, stop: threading.Event, interval: float = INTERVAL) -> Profile:
    """CPU time by stack and group of threads, for so many seconds or until `stop` is set. Blocks.

    What threads without any Python call used (those of gRPC's core, say) is one sample of its own.
    """
    sampler = _CpuSampler()
    _run(sampler, seconds, stop, interval)
    sampler.finish()
    return sampler.profile


def wall_profile(seconds: float, stop: threading.Event, interval: float = INTERVAL) -> Profile:
    """Time by stack and group of threads, waiting included, for so many seconds or until `stop` is set. Blocks."""
    sampler = _WallSampler()
    _run(sampler, seconds, stop, interval)
    return sampler.profile


def group_of(name: str) -> str:
    """The name of a thread without its number: threads of a pool count together."""
    return _NUMBER.sub("", name) or name


def _run(sampler: _CpuSampler | _WallSampler, seconds: float, stop: threading.Event, interval: float) -> None:
    profile, own = sampler.profile, threading.get_ident()
    profile.began, profile.period = time.time_ns(), int(interval * 1e9)
    began = time.monotonic_ns()
    end = began + int(seconds * 1e9)
    sampler.look({}, own)
    while (left := end - time.monotonic_ns()) > 0 and not stop.wait(min(interval, left / 1e9)):
        sampler.look(sys._current_frames(), own)
    profile.duration = time.monotonic_ns() - began


class _WallSampler:
    def __init__(self) -> None:
        self.profile = Profile(kinds=(("samples", "count"), ("time", "nanoseconds")))
        self._last = time.monotonic_ns()

    def look(self, frames: Mapping[int, FrameType], own: int) -> None:
        now = time.monotonic_ns()
        passed, self._last = now - self._last, now
        groups = {thread.ident: group_of(thread.name) for thread in threading.enumerate()}
        for ident, frame in frames.items():
            if ident != own:
                self.profile.add(stack_of(frame), groups.get(ident, ""), 1, passed)


class _CpuSampler:
    def __init__(self) -> None:
        self.profile = Profile(kinds=(("samples", "count"), ("cpu", "nanoseconds")))
        self._clocks: dict[int, int] = {}
        self._process = time.process_time_ns()
        self._own = time.thread_time_ns()
        self._seen = 0

    def look(self, frames: Mapping[int, FrameType], own: int) -> None:
        threads = list(threading.enumerate())
        clocks = dict(_clocks(threads))
        for thread in threads:
            ident = thread.ident or 0
            used = clocks.get(ident, 0) - self._clocks.get(ident, clocks.get(ident, 0))
            if used > 0 and ident != own and ident in frames:
                self.profile.add(stack_of(frames[ident]), group_of(thread.name), 1, used)
                self._seen += used
        self._clocks = clocks

    def finish(self) -> None:
        own = time.thread_time_ns() - self._own
        rest = time.process_time_ns() - self._process - own - self._seen
        if rest > 0:
            self.profile.add(OUTSIDE, "", rest // max(1, self.profile.period), rest)


def _clocks(threads: Iterable[threading.Thread]) -> Iterable[tuple[int, int]]:
    """(identity, CPU time in ns) of the threads that still run."""
    for thread in threads:
        if thread.ident is not None and thread.native_id is not None:
            with suppress(OSError):  # it ended just now
                yield thread.ident, time.clock_gettime_ns(_clock_of(thread.native_id))


def _clock_of(native_id: int) -> int:
    """Linux: the number of a thread's CPU clock. Unlike `pthread_getcpuclockid` it is safe for threads that ended."""
    return (~native_id << 3) | 6
