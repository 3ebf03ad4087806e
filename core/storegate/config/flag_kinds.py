"""The kinds of values that flags take. Each parser raises ValueError that says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storegate.config.units import parse_bytes, parse_go_duration, parse_prometheus_duration, parse_time_bound


class OutOfRange(ValueError):
    """A value of the right kind that is too small or too large."""


def _integer(text: str) -> int:
    try:
        return int(text, 10)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None


def _count(text: str) -> int:
    number = _integer(text)
    if number < 0:
        raise OutOfRange(f"{text!r} is below 0")
    return number


def _positive(text: str) -> int:
    number = _integer(text)
    if number < 1:
        raise OutOfRange(f"{text!r} is below 1")
    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not 0 <= number < float("inf"):
        raise OutOfRange(f"{text!r} is not a number of at least 0")
    return number


def _ratio(text: str) -> float:
    number = _number(text)
    if not 0 < number <= 1:
        raise OutOfRange(f"{text!r} must be above 0 and at most 1")
    return number


def _go_duration(text: str) -> float:
    seconds = parse_go_duration(text)
    if seconds < 0:
        raise OutOfRange(f"{text!r} is below 0")
    return seconds


def _interval(text: str) -> float:
    seconds = _go_duration(text)
    if seconds == 0:
        raise OutOfRange(f"{text!r} must be above 0")
    return seconds


def _time(text: str) -> str:
    parse_time_bound(text)
    return text


PARSERS: dict[str, Callable[[str], Any]] = {
    "text": str,
    "integer": _integer,
    "count": _count,
    "positive": _positive,
    "number": _number,
    "ratio": _ratio,
    "go-duration": _go_duration,
    "interval": _interval,
    "prom-duration": parse_prometheus_duration,
    "bytes": parse_bytes,
    "time": _time,
}
"""Kinds of a text value; `bool` and `choice` are beside them."""
