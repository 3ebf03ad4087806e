"""What is wrapped around a value that leaves the process, so that a wrong one is noticed when it comes back.

    "sgC" version | CRC32C of the rest | xxhash64 of the key | length of the value | encoding | body

Numbers are little-endian: 1 byte version, 4, 8, 4 and 1. The encoding is 0 (as it is) or 1 (an LZ4 block).
"""

from __future__ import annotations

import struct

import cramjam

from storegate.kernels.hashing import crc32c, xxh64

_MAGIC = b"sgC"
_VERSION = 1
_HEAD = struct.Struct("<3sBIQIB")
_CHECKED = struct.Struct("<QIB")  # the part of the head that the checksum covers
_CHECKED_AT = 8

PLAIN, LZ4 = 0, 1
WORTH_COMPRESSING = 256
"""Bytes; smaller values are stored as they are."""
GAIN = 0.9
"""A compressed value is kept when it is at most so large a part of the plain one."""
_LZ4_RATIO = 256
"""No LZ4 block is longer than its body times this: a wrong length must not cost memory."""


class WrongValueError(Exception):
    """A value that is not what was stored; `reason` is one of `REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


REASONS = ("foreign", "version", "damaged", "key")


def seal(key: str, value: bytes) -> bytes:
    """The value as it is stored; compressed if that pays."""
    encoding, body = PLAIN, value
    if len(value) >= WORTH_COMPRESSING:
        packed = bytes(cramjam.lz4.compress_block(value, store_size=False))
        if len(packed) <= GAIN * len(value):
            encoding, body = LZ4, packed
    checked = _CHECKED.pack(_digest(key), len(value), encoding) + body
    return struct.pack("<3sBI", _MAGIC, _VERSION, crc32c(checked)) + checked


def unseal(key: str, sealed: bytes) -> bytes:
    """The value that was stored under this key. Raises WrongValueError."""
    if len(sealed) < _HEAD.size or sealed[:3] != _MAGIC:
        raise WrongValueError("foreign")
    _, version, checksum, digest, length, encoding = _HEAD.unpack_from(sealed)
    if version != _VERSION:
        raise WrongValueError("version")
    if crc32c(sealed, _CHECKED_AT) != checksum:
        raise WrongValueError("damaged")
    if digest != _digest(key):
        raise WrongValueError("key")
    return _unpacked(bytes(sealed[_HEAD.size :]), length, encoding)


def _unpacked(body: bytes, length: int, encoding: int) -> bytes:
    if encoding == LZ4 and length <= _LZ4_RATIO * len(body):
        try:
            body = bytes(cramjam.lz4.decompress_block(body, output_len=length))
        except cramjam.DecompressionError:
            raise WrongValueError("damaged") from None
    elif encoding != PLAIN:
        raise WrongValueError("version")
    if len(body) != length:
        raise WrongValueError("damaged")
    return body


def _digest(key: str) -> int:
    return xxh64(key.encode("utf-8", "surrogatepass"))
