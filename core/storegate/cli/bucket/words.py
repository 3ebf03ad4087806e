"""Times, spans, sizes and numbers in words that fit a table; and the exact forms for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from storegate.block.verify.labels import printable, quoted

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000  # ms
RESOLUTIONS = {0: "raw", 300_000: "5m", 3_600_000: "1h"}


def minute(time_ms: int) -> str:
    """A time in UTC, to the minute; one that no calendar has is given in ms."""
    text = rfc3339(time_ms)
    return exact(time_ms) if text is None else text[:16].replace("T", " ")


def exact(time_ms: int) -> str:
    """A time in RFC 3339, or in ms."""
    return rfc3339(time_ms) or f"{time_ms} ms"


def rfc3339(time_ms: int | None) -> str | None:
    """A time as JSON documents hold it, with milliseconds where there are some; None for one that it cannot tell."""
    if time_ms is None:
        return None
    seconds, millis = divmod(time_ms, SECOND)
    try:
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return None
    return text.rjust(19, "0") + (f".{millis:03d}Z" if millis else "Z")


def span(length_ms: int) -> str:
    """A span of time in at most two units, rounded: `2h`, `1h30m`, `14d`, `3y`."""
    if length_ms < 0:
        return f"-{span(-length_ms)}"
    if length_ms < MINUTE:
        return f"{round(length_ms / SECOND)}s"
    if length_ms < HOUR:
        return f"{round(length_ms / MINUTE)}m" if length_ms < HOUR - MINUTE / 2 else "1h"
    minutes = round(length_ms / MINUTE)
    if minutes < 24 * 60:
        return _units(minutes, 60, "h", "m")
    hours = round(length_ms / HOUR)
    if hours < 10 * 24:
        return _units(hours, 24, "d", "h")
    days = round(length_ms / DAY)
    return f"{days}d" if days < 2 * 365 else f"{round(days / 365)}y"


def _units(number: int, per: int, large: str, small: str) -> str:
    whole, rest = divmod(number, per)
    return f"{whole}{large}{rest}{small}" if rest else f"{whole}{large}"


def count(number: int) -> str:
    """A number in at most five characters: `999`, `12.3k`, `4.56M`."""
    return _scaled(number, 1000, ("", "k", "M", "G", "T", "P"), "")


def size(number: int) -> str:
    """Bytes in at most eight characters: `12 B`, `1.5 MiB`."""
    return _scaled(number, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"), " ")


def _scaled(number: int, base: int, units: tuple[str, ...], gap: str) -> str:
    value, power = float(number), 0
    while round(value) >= base and power + 1 < len(units):
        value /= base
        power += 1
    digits = 0 if power == 0 or value >= 100 else 1
    return f"{value:.{digits}f}{gap}{units[power]}"


def plural(number: int, noun: str) -> str:
    """`1 block`, `2 blocks`."""
    return f"{number:,} {noun}" if number == 1 or noun == "series" else f"{number:,} {noun}s"


def resolution(resolution_ms: int) -> str:
    """`raw`, `5m`, `1h`, or what an odd block says."""
    return RESOLUTIONS.get(resolution_ms) or span(resolution_ms)


def labels(pairs: Mapping[str, str]) -> str:
    """Labels as in a selector, without braces; `-` when there are none."""
    return ", ".join(f"{printable(name)}={quoted(value)}" for name, value in sorted(pairs.items())) or "-"
