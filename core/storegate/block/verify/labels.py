"""Labels in words."""

from __future__ import annotations

from collections.abc import Sequence

from storegate.index.symbols import Symbols

LONGEST = 300
"""Characters of a label set."""


def label_text(symbols: Symbols, pairs: Sequence[Sequence[int]]) -> str:
    """Pairs of symbol ordinals as Prometheus writes labels, cut where they are long."""

    def text(ordinal: int) -> str:
        known = ordinal < len(symbols)
        return symbols.text(ordinal).decode(errors="replace") if known else f"symbol {ordinal}"

    joined = "{" + ", ".join(f"{printable(text(name))}={quoted(text(value))}" for name, value in pairs) + "}"
    return joined if len(joined) <= LONGEST else joined[: LONGEST - 1] + "…"


def quoted(text: str) -> str:
    """A label value in quotes."""
    return '"' + printable(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def printable(text: str) -> str:
    """The text on one line, with escapes for what would disturb a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
