"""What all threads, and the tasks of all event loops, do at this moment."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from asyncio.base_events import BaseEventLoop
from collections.abc import Iterable, Iterator
from types import FrameType

from storegate.profiling.profile import Profile, stack_of, top
from storegate.profiling.sampler import group_of


def thread_profile() -> Profile:
    """The number of threads by stack."""
    profile = Profile(kinds=(("goroutine", "count"),), period=1)
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        profile.add(stack_of(frame), group_of(names.get(ident, "")), 1)
    return profile


def grouped_stacks() -> str:
    """Each stack once, with the number of threads that are in it: the most frequent first."""
    profile = thread_profile()
    parts = [f"threads: total {threading.active_count()}\n"]
    for stack, group, count in top(profile, len(profile.samples)):
        calls = "".join(f"#\t{frame.function}\t{frame.file}:{frame.line}\n" for frame in stack)
        parts.append(f"{count} {group}\n{calls}")
    return "\n".join(parts)


def all_stacks() -> str:
    """The stack of every thread, and of every task of every running asyncio loop, innermost call last."""
    names = {thread.ident: thread for thread in threading.enumerate()}
    parts = []
    frames = sys._current_frames()
    loops = {id(loop): loop for loop in _loops(frames.values())}  # first: frames come apart when their threads go on
    for ident, frame in sorted(frames.items()):
        thread = names.get(ident)
        name = f"{thread.name}{' (daemon)' if thread.daemon else ''}" if thread else "(not of Python)"
        parts.append(f"thread {ident} {name}:\n{''.join(traceback.format_stack(frame))}")
    for loop in loops.values():
        for task in sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name()):
            stack = "".join("".join(traceback.format_stack(frame, 1)) for frame in task.get_stack())
            parts.append(f"task {task.get_name()} {_coroutine(task)}:\n{stack}")
    return "\n".join(parts)


def _loops(frames: Iterable[FrameType]) -> Iterator[asyncio.AbstractEventLoop]:
    """The event loops that threads run, found where they run them: nothing keeps a list."""
    for frame in frames:
        current: FrameType | None = frame
        while current is not None:
            if current.f_code is BaseEventLoop.run_forever.__code__:
                yield current.f_locals["self"]
            current = current.f_back


def _coroutine(task: asyncio.Task[object]) -> str:
    return str(getattr(task.get_coro(), "__qualname__", ""))
