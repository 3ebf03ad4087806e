"""Small cache values with a checksum: one that was cut off or belongs elsewhere is a miss, whatever the cache."""

from __future__ import annotations

import json
from typing import Any

from storegate.kernels.hashing import crc32c
from storegate.types import ObjectInfo

_CHECKSUM = 4
UNKNOWN = b""
"""A value that says nothing: caches have no way to delete."""


def pack(data: bytes) -> bytes:
    """The value to be stored."""
    return crc32c(data).to_bytes(_CHECKSUM, "little") + data


def unpack(value: bytes | None) -> bytes | None:
    """What was packed; None when the value is absent or damaged."""
    if value is None or len(value) < _CHECKSUM:
        return None
    data = value[_CHECKSUM:]
    return data if crc32c(data).to_bytes(_CHECKSUM, "little") == value[:_CHECKSUM] else None


def pack_json(document: Any) -> bytes:
    """A JSON document as a value."""
    return pack(json.dumps(document, separators=(",", ":")).encode())


def unpack_json(value: bytes | None) -> Any:
    """The document, None for everything else."""
    data = unpack(value)
    try:
        return None if data is None else json.loads(data)
    except ValueError:  # JSON, and UTF-8
        return None


def pack_infos(infos: list[ObjectInfo]) -> bytes:
    """Entries of a listing as a value."""
    return pack_json([[info.key, info.size, info.modified] for info in infos])


def unpack_infos(value: bytes | None) -> list[ObjectInfo] | None:
    """The entries; None unless it is a listing."""
    rows = unpack_json(value)
    if not isinstance(rows, list):
        return None
    infos = [_info(row) for row in rows]
    return None if None in infos else infos  # type: ignore[return-value]


def pack_presence(info: ObjectInfo | None, *, exists: bool = True) -> bytes:
    """Whether an object exists, and with `info` its size and time."""
    document: dict[str, Any] = {"exists": exists}
    if info is not None:
        document |= {"size": info.size, "modified": info.modified}
    return pack_json(document)


def unpack_presence(key: str, value: bytes | None) -> tuple[bool | None, ObjectInfo | None]:
    """(whether the object exists, its size and time), each None when the value does not say."""
    document = unpack_json(value)
    if not isinstance(document, dict) or not isinstance(document.get("exists"), bool):
        return None, None
    info = _info([key, document.get("size"), document.get("modified")])
    return document["exists"], info if info is not None and info.size is not None else None


def _info(row: Any) -> ObjectInfo | None:
    if not isinstance(row, list) or len(row) != 3 or not isinstance(row[0], str):
        return None
    if any(number is not None and type(number) is not int for number in row[1:]) or (row[1] or 0) < 0:
        return None
    return ObjectInfo(key=row[0], size=row[1], modified=row[2])
