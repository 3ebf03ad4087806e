"""Names of blocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from storegate.block.ulids import is_ulid, looks_like_ulid

VALID = "01M825FHTM0VMQF3DFN1Z2QPXP"


@given(st.binary(min_size=16, max_size=16))
def test_every_ulid_in_canonical_form_is_one(data: bytes) -> None:
    assert is_ulid(str(ULID.from_bytes(data)))


@pytest.mark.parametrize(
    "name",
    [
        VALID.lower(),
        "01m" + VALID[3:],
        "8" + VALID[1:],
        VALID[:-1] + "U",
        VALID[:-1] + "I",
        VALID[:-1] + "O",
        VALID[:-1] + "L",
    ],
)
def test_names_that_resemble_one_are_none_and_worth_a_word(name: str) -> None:
    assert not is_ulid(name)
    assert looks_like_ulid(name)


@pytest.mark.parametrize("name", ["", "debug", VALID[:-1], VALID + "0", VALID + "\n", VALID[:-1] + "-", "é" * 26])
def test_other_names_are_none_and_not_worth_a_word(name: str) -> None:
    assert not is_ulid(name)
    assert not looks_like_ulid(name)


def test_a_ulid_does_not_merely_look_like_one() -> None:
    assert not looks_like_ulid(VALID)
