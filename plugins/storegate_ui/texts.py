"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
EARLIEST, LATEST = -62_135_596_800_000, 253_402_300_799_999  # ms; years 1 to 9999


def bytes_text(size: float) -> str:
    """Bytes in units of 1024: `1.5 GiB`."""
    for unit in _UNITS[:-1]:
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"


def count_text(number: float) -> str:
    """A whole number in groups of three: `1 234 567`, with narrow spaces that do not break."""
    return f"{number:,.0f}".replace(",", "\u202f")


def duration_text(seconds: float) -> str:
    """The two largest units: `3d 4h`, `2m 5s`, `0.35 s`."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.2f} s"
    parts = []
    rest = int(seconds)
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def percent_text(share: float) -> str:
    return f"{share * 100:.1f}\u202f%"


def time_text(millis: int) -> str:
    """UTC, to the second; what no calendar holds is said in words."""
    if not EARLIEST <= millis <= LATEST:
        return "unbounded"
    return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
