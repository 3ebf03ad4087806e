"""How durations, byte sizes and times are written in flags and YAML, and pydantic types for them.

Plugins use `Duration`, `ByteSize` and `TimeBound` in their configuration models:

    class Config(BaseModel, extra="forbid"):
        timeout: Duration = 5.0        # seconds; accepts "5s", "1m30s", or a number of seconds
        max_size: ByteSize = 250 << 20  # bytes; accepts "250MB"

The parsers raise ValueError with a message that names the text and the syntax. All are pure.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from storegate.errors import ConfigurationError

_SECONDS: dict[str, Decimal] = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "\u00b5s": Decimal("1e-6"),  # the micro sign and the Greek letter: Go takes both
    "\u03bcs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
    "y": Decimal(31_536_000),
}
_LONGEST = Decimal(2**63 - 1) / 10**9  # Go counts nanoseconds in 63 bits
_GO_PART = re.compile("([0-9]+\\.?[0-9]*|\\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w)")
_GO_DURATION = re.compile(rf"([-+]?)((?:{_GO_PART.pattern})+)")
_PROMETHEUS_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_PROMETHEUS_UNITS = ("y", "w", "d", "h", "m", "s", "ms")

_BYTE_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(B|[KMGTPE]i?B)", re.ASCII)
_POWERS = {letter: 1024**power for power, letter in enumerate("BKMGTPE")}

_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([-+])(\d\d):(\d\d))", re.ASCII)
_EPOCH = datetime(1970, 1, 1)
_CYCLE = timedelta(days=146_097)  # the calendar repeats after 400 years

_VARIABLE = re.compile(r"\$\(([a-zA-Z_0-9]+)\)")


def parse_go_duration(text: str) -> float:
    """Seconds in a Go duration: `90s`, `1h30m`, `1.5h`, also `d` (24 h) and `w`; a sign is allowed."""
    if text in ("0", "+0", "-0"):
        return 0.0
    match = _GO_DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration (such as 30s, 5m, 1h30m)")
    total = sum((Decimal(number) * _SECONDS[unit] for number, unit in _GO_PART.findall(match[2])), Decimal(0))
    return _bounded(-total if match[1] == "-" else total, text)


def parse_prometheus_duration(text: str) -> float:
    """Seconds in a Prometheus duration: whole numbers with `y w d h m s ms`, largest unit first, such as `1d12h`."""
    if text == "0":
        return 0.0
    match = _PROMETHEUS_DURATION.fullmatch(text) if text else None
    if match is None:
        raise ValueError(f"{text!r} is not a duration (such as 30s, 5m, 1d12h, 6w)")
    parts = zip(match.groups(), _PROMETHEUS_UNITS, strict=True)
    return _bounded(sum((int(number) * _SECONDS[unit] for number, unit in parts if number), Decimal(0)), text)


def parse_duration(text: str) -> float:
    """Seconds in a duration of either syntax, as configuration files hold them."""
    try:
        return parse_prometheus_duration(text)
    except ValueError:
        return parse_go_duration(text)


def _bounded(seconds: Decimal, text: str) -> float:
    if abs(seconds) > _LONGEST:
        raise ValueError(f"{text!r} is too long a duration (at most 292 years)")
    return float(seconds)


def parse_bytes(text: str) -> int:
    """Bytes in a size: a number directly followed by a unit; `KB` is `KiB`, all units are powers of 1024."""
    if text == "0":
        return 0
    match = _BYTE_SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a byte size (such as 512KiB, 250MB, 1.5GB; the unit is required)")
    size = int(Decimal(match[1]) * _POWERS[match[2][0]])
    if size >= 2**63:
        raise ValueError(f"{text!r} is too large a byte size")
    return size


def parse_time(text: str) -> int:
    """Milliseconds since the Unix epoch of an RFC 3339 time, years 0000 to 9999."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time (such as 2026-01-31T00:00:00Z)")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    offset = timedelta(hours=int(match[9] or 0), minutes=int(match[10] or 0))
    try:
        # Python knows no year 0: it is read as the year 400, one whole cycle later
        since = datetime(year or 400, month, day, hour, minute, second) - _EPOCH
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time: {error}") from None
    since -= timedelta(0) if year else _CYCLE
    since -= -offset if match[8] == "-" else offset
    millis = int((match[7] or "0").ljust(3, "0")[:3])
    return since.days * 86_400_000 + since.seconds * 1000 + millis


@lru_cache(maxsize=64)
def parse_time_bound(text: str) -> tuple[bool, int]:
    """(relative to now, milliseconds) of an RFC 3339 time or a signed Prometheus duration such as `-6w`."""
    try:
        return False, parse_time(text)
    except ValueError:
        try:
            seconds = parse_prometheus_duration(text.removeprefix("-"))
        except ValueError:
            raise ValueError(
                f"{text!r} is neither a time (2026-01-31T00:00:00Z) nor a duration relative to now (-6w)"
            ) from None
    millis = int(seconds * 1000)
    return True, -millis if text.startswith("-") else millis


def resolve_time(text: str, now_ms: int) -> int:
    """Milliseconds since the epoch that `text` (see `parse_time_bound`) means at `now_ms`."""
    relative, millis = parse_time_bound(text)
    return now_ms + millis if relative else millis


def expand_environment(text: str, environ: Mapping[str, str] | None = None, *, source: str = "configuration") -> str:
    """Replace each `$(NAME)` by the environment variable; `$NAME` and `${NAME}` are left alone.

    Raises ConfigurationError naming `source` and a variable that is not set.
    """
    values = os.environ if environ is None else environ

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise ConfigurationError(f"{source}: $({name}) is used but the environment variable {name} is not set")
        return values[name]

    return _VARIABLE.sub(value, text)


# --- pydantic types ---------------------------------------------------------------------------------------------------


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else _number(value, "a duration such as 30s")


def _byte_size(value: Any) -> Any:
    return parse_bytes(value) if isinstance(value, str) else _number(value, "a byte size such as 250MB")


def _number(value: Any, wanted: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be {wanted}")
    return value


def _time_bound(value: str) -> str:
    parse_time_bound(value)
    return value


def _number_or_text(kind: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": kind, "minimum": 0}, {"type": "string", "pattern": "^[0-9.]"}]})


Duration = Annotated[float, BeforeValidator(_duration), Field(ge=0, allow_inf_nan=False), _number_or_text("number")]
"""Seconds; text such as `30s`, `1h30m`, `6w`, or a number of seconds. Never negative."""

ByteSize = Annotated[int, BeforeValidator(_byte_size), Field(ge=0), _number_or_text("integer")]
"""Bytes; text such as `250MB` (powers of 1024), or a whole number of bytes."""

TimeBound = Annotated[str, AfterValidator(_time_bound)]
"""An RFC 3339 time or a duration relative to now; kept as text, since `resolve_time` gives its value at each use."""
