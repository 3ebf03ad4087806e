"""Varints as Go writes them."""

from __future__ import annotations

import pytest

from storegate.errors import CorruptError
from storegate.testing.varint import put_uvarint, put_varint, read_uvarint, read_varint, signed64


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
def test_unsigned_numbers_come_back(value: int) -> None:
    data = put_uvarint(value)
    assert read_uvarint(data, 0) == (value, len(data))


@pytest.mark.parametrize("value", [0, -1, 1, 63, -64, 64, 2**62, -(2**63), 2**63 - 1])
def test_signed_numbers_come_back(value: int) -> None:
    data = put_varint(value)
    assert read_varint(data, 0) == (value, len(data))


def test_a_longer_form_than_needed_is_read() -> None:
    assert read_uvarint(b"\x80\x00", 0) == (0, 2)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x00"])
def test_a_varint_that_ends_early_or_is_too_large_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptError):
        read_uvarint(data, 0)


def test_numbers_wrap_at_64_bits() -> None:
    assert signed64(2**64 - 1) == -1
    assert signed64(2**63) == -(2**63)
