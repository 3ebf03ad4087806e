"""Postings as cache values: `sgP1`, count, CRC32C, then the refs, all numbers as little-endian uint32.

The tag differs from those of Thanos (`dvs`, `dss`), so that a shared server can never mix the two up.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from storegate.kernels.hashing import crc32c

_TAG = b"sgP1"
_HEAD = struct.Struct("<4sII")


def encode_postings(refs: NDArray[np.uint32]) -> bytes:
    """Ascending refs to a cache value."""
    body = refs.astype("<u4", copy=False).tobytes()
    return _HEAD.pack(_TAG, len(refs), crc32c(body)) + body


def encoded_size(refs: NDArray[np.uint32]) -> int:
    """Bytes that the refs take as a cache value."""
    return _HEAD.size + 4 * len(refs)


def decode_postings(value: bytes) -> NDArray[np.uint32] | None:
    """The refs, read-only; None when the value is not one that `encode_postings` made."""
    if len(value) < _HEAD.size:
        return None
    tag, count, checksum = _HEAD.unpack_from(value)
    if tag != _TAG or len(value) != _HEAD.size + 4 * count or crc32c(value, _HEAD.size) != checksum:
        return None
    return np.frombuffer(value, "<u4", count, _HEAD.size)
