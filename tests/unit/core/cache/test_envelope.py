"""What is wrapped around values outside of the process."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.cache.envelope import REASONS, WORTH_COMPRESSING, WrongValueError, seal, unseal

HEAD = 21


def reason(key: str, sealed: bytes) -> str:
    with pytest.raises(WrongValueError) as caught:
        unseal(key, sealed)
    assert caught.value.reason in REASONS
    return caught.value.reason


@given(st.text(), st.binary(max_size=2000), st.integers(1, 50))
def test_what_was_sealed_comes_back(key: str, value: bytes, times: int) -> None:
    assert unseal(key, seal(key, value * times)) == value * times


def test_a_repetitive_value_shrinks() -> None:
    value = b"namespace\x00production\x00" * 1000
    assert len(seal("k", value)) < len(value) / 10


@pytest.mark.parametrize("size", [0, 1, WORTH_COMPRESSING, 10_000])
def test_a_random_value_grows_by_the_head_alone(size: int) -> None:
    assert len(seal("k", Random(1).randbytes(size))) == size + HEAD


def test_the_layout_is_fixed() -> None:
    """Gateways of different releases share a server: a change of the layout needs another version."""
    assert seal("key", b"value").hex() == "73674301b3c1a5bd3443e12d56627744050000000076616c7565"


@given(st.binary(min_size=1, max_size=600), st.data())
def test_no_changed_bit_passes(value: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal("k", value))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    reason("k", bytes(sealed))


@given(st.binary(min_size=300, max_size=600), st.booleans(), st.data())
def test_no_truncated_value_passes(value: bytes, repeat: bool, data: st.DataObject) -> None:
    sealed = seal("k", value * 5 if repeat else value)
    reason("k", sealed[: data.draw(st.integers(0, len(sealed) - 1))])


def test_a_value_of_another_key_does_not_pass() -> None:
    assert reason("a", seal("b", b"value")) == "key"


def test_a_value_of_another_version_does_not_pass() -> None:
    sealed = bytearray(seal("k", b"value"))
    sealed[3] += 1
    assert reason("k", bytes(sealed)) == "version"


@pytest.mark.parametrize("foreign", [b"", b"sgC", b"\x80\x04pickle" * 10, b"value" * 100])
def test_a_foreign_value_does_not_pass(foreign: bytes) -> None:
    assert reason("k", foreign) == "foreign"
