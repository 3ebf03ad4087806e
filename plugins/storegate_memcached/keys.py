"""Keys as memcached takes them, and the server that each belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import blake2b

from storegate.kernels.hashing import xxh64

LONGEST_KEY = 250
"""Bytes; more is refused by the protocol."""

_PLAIN = re.compile(rf"[!-~]{{1,{LONGEST_KEY}}}")
_BITS = (1 << 64) - 1
_DIGITS = re.compile(r"(\d+)")

Pick = Callable[[bytes, Sequence[str]], int]


def wire_key(key: str) -> bytes:
    """The key itself if the protocol takes it, else a digest of it."""
    if _PLAIN.fullmatch(key):
        return key.encode("ascii")
    return b"sg:" + blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest().encode("ascii")


def natural_order(address: str) -> list[tuple[int, str]]:
    """Sort key in which `m2` comes before `m10`."""
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in _DIGITS.split(address)]


def jump(key: bytes, addresses: Sequence[str]) -> int:
    """Index of the server by jump consistent hash of xxhash64, over naturally sorted addresses (operations 11)."""
    return jump_hash(xxh64(key), len(addresses))


def jump_hash(state: int, buckets: int) -> int:
    """The bucket of a 64-bit number (Lamping and Veach, 2014)."""
    chosen, following = -1, 0
    while following < buckets:
        chosen = following
        state = (state * 2862933555777941757 + 1) & _BITS
        following = int((chosen + 1) * ((1 << 31) / ((state >> 33) + 1)))
    return chosen


def rendezvous(key: bytes, addresses: Sequence[str]) -> int:
    """Index of the server whose hash together with the key is the largest."""
    return max(range(len(addresses)), key=lambda i: xxh64(key + b"\n" + addresses[i].encode()))


PICKS: dict[str, Pick] = {"jump": jump, "rendezvous": rendezvous}
