"""CRC32C (Castagnoli), the checksum of every TSDB section, series entry and chunk."""

from __future__ import annotations

from collections.abc import Callable

_POLYNOMIAL = 0x82F63B78  # reflected form of 0x1EDC6F41


def _table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ _POLYNOMIAL if crc & 1 else crc >> 1
        table.append(crc)
    return table


_TABLE = _table()


def crc32c_by_table(data: bytes) -> int:
    """The checksum of `data`, one byte at a time: about 10 MB/s, needs nothing installed."""
    crc = 0xFFFFFFFF
    table = _TABLE
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _fastest() -> Callable[[bytes], int]:
    try:
        import google_crc32c
    except ImportError:
        return crc32c_by_table
    return google_crc32c.value  # type: ignore[no-any-return]


crc32c: Callable[[bytes], int] = _fastest()
"""The checksum of `data`, by google-crc32c where that is installed."""
