"""Compiled hot loops over flat buffers; each module also runs as plain Python, slowly.

`ACCELERATED` says which form is loaded. Kernels take and return buffers and numpy arrays, release the GIL, check every
length, ordinal and ref against the buffer it points into, and report damage as a status: `explain` words it.
"""

from __future__ import annotations

from storegate.kernels import (
    audit,
    chunks,
    decode,
    encode,
    frames,
    hashing,
    labels,
    merge,
    order,
    plan,
    postings,
    remote,
    remote_samples,
    series,
    table,
)
from storegate.kernels.plan import coalesce

_KERNELS = (
    audit, chunks, decode, encode, frames, hashing, labels, merge, order, plan, postings, remote, remote_samples,
    series, table,
)  # fmt: skip
ACCELERATED = all(not (module.__file__ or "").endswith(".py") for module in _KERNELS)

SHORT = 100
"""Status of an entry that goes on past the bytes at hand: fetch more, then go on."""

_DAMAGE = {
    1: "a varint is cut off or too long",
    3: "a string goes past the end of its section",
    4: "symbols are not in ascending order",
    5: "a section has bytes left over or too few",
    6: "a postings table entry does not have two keys",
    7: "postings table entries are not in ascending order",
    8: "a postings list lies outside the postings section",
    9: "postings list offsets do not ascend",
    10: "a postings list is longer than its place",
    11: "a postings list is not in ascending order",
    12: "a series entry has a malformed length",
    13: "the checksum of a series entry does not match",
    14: "a series entry has an impossible label count",
    15: "a series entry has an impossible chunk count",
    16: "a series entry refers to an unknown symbol",
    17: "a series entry has bytes left over",
    18: "a series entry has no labels",
    19: "a chunk ref names an unknown segment",
    20: "a chunk ref lies outside its segment",
    21: "a chunk has a malformed length",
    22: "a chunk goes past the end of its segment",
    23: "the checksum of a chunk does not match",
    24: "unsupported chunk encoding",
    25: "an aggregate chunk is malformed",
    26: "the checksum of a postings list does not match",
    27: "a chunk ends before its last sample",
    28: "the samples of a chunk make no sense",
    29: "a native histogram has an unknown schema",
    SHORT: "an entry goes past the end of its section",
}


def explain(status: int) -> str:
    """A kernel's status in words."""
    return _DAMAGE.get(status, f"unknown damage {status}")


__all__ = [
    "ACCELERATED",
    "SHORT",
    "audit",
    "chunks",
    "coalesce",
    "decode",
    "encode",
    "explain",
    "frames",
    "hashing",
    "labels",
    "merge",
    "order",
    "plan",
    "postings",
    "remote",
    "remote_samples",
    "series",
    "table",
]
