"""The time in a ULID."""

from __future__ import annotations

from ulid import ULID


def ulid_time(ulid: str) -> int:
    """When a block was created, in ms since the Unix epoch."""
    return int.from_bytes(ULID.from_str(ulid).bytes[:6], "big")
