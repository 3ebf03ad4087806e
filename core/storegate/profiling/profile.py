"""A profile: values by stack of calls, as text and in the format of pprof."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import NamedTuple

MAX_DEPTH = 200
"""Frames kept of one stack, from the innermost."""


class Frame(NamedTuple):
    """One call. `line` is the line that runs; 0 when there is none."""

    function: str
    file: str = ""
    line: int = 0


Stack = tuple[Frame, ...]
"""The innermost call first."""


@dataclass(slots=True, kw_only=True)
class Profile:
    """Values by stack and by the name of the thread.

    `kinds` are the (name, unit) of the values of each sample; `period` is the interval of sampling in the unit of the
    last kind; times are in nanoseconds.
    """

    kinds: tuple[tuple[str, str], ...]
    samples: dict[tuple[Stack, str], list[int]] = field(default_factory=dict)
    began: int = 0
    duration: int = 0
    period: int = 0

    def add(self, stack: Stack, thread: str, *values: int) -> None:
        known = self.samples.setdefault((stack, thread), [0] * len(self.kinds))
        for i, value in enumerate(values):
            known[i] += value


def stack_of(frame: FrameType | None) -> Stack:
    """The calls that led to a frame."""
    return tuple(_frames(frame))


def _frames(frame: FrameType | None) -> Iterator[Frame]:
    depth = 0
    while frame is not None and depth < MAX_DEPTH:
        yield Frame(_name(frame.f_code), frame.f_code.co_filename, frame.f_lineno or 0)
        frame, depth = frame.f_back, depth + 1


def _name(code: CodeType) -> str:
    return code.co_qualname


def collapsed(profile: Profile, kind: int = -1) -> str:
    """One line per stack, outermost call first, then the value of one kind: what flame graph tools read."""
    lines = []
    for (stack, thread), values in profile.samples.items():
        if values[kind]:
            calls = [thread, *(_call(frame) for frame in reversed(stack))]
            lines.append(f"{';'.join(filter(None, calls))} {values[kind]}")
    return "\n".join(sorted(lines)) + "\n" if lines else ""


def _call(frame: Frame) -> str:
    """Without the characters that mean something in a line."""
    place = f" ({_short(frame.file)}:{frame.line})" if frame.file else ""
    return f"{frame.function}{place}".replace(";", ",").replace("\n", " ")


def _short(path: str) -> str:
    """The last two parts of a path: a module and its package."""
    return "/".join(path.split("/")[-2:])


def top(profile: Profile, count: int, kind: int = -1) -> Sequence[tuple[Stack, str, int]]:
    """The samples with the largest values."""
    ordered = sorted(profile.samples.items(), key=lambda item: item[1][kind], reverse=True)
    return [(stack, thread, values[kind]) for (stack, thread), values in ordered[:count]]
