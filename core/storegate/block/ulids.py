"""Names of blocks: ULIDs in canonical form, 26 characters of Crockford base32 in upper case."""

from __future__ import annotations

import re

_CANONICAL = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_ALIKE = re.compile(r"[0-9A-Za-z]{26}")

ZERO_ULID = "0" * 26


def is_ulid(text: str) -> bool:
    """Whether `text` names a block. Lower case, and values beyond 128 bits, do not."""
    return _CANONICAL.fullmatch(text) is not None


def looks_like_ulid(text: str) -> bool:
    """Whether `text` was perhaps meant to name a block, but does not: worth a warning."""
    return _ALIKE.fullmatch(text) is not None and not is_ulid(text)
