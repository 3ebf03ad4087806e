"""Postings as cache values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.cache.postings_codec import decode_postings, encode_postings
from storegate.testing.strategies import damaged

REFS = st.lists(st.integers(0, 2**32 - 1), unique=True, max_size=50).map(sorted)


def encoded(refs: list[int]) -> bytes:
    return encode_postings(np.array(refs, np.uint32))


@given(REFS)
def test_refs_come_back_as_they_were(refs: list[int]) -> None:
    decoded = decode_postings(encoded(refs))
    assert decoded is not None
    assert decoded.tolist() == refs


@given(st.data(), REFS)
def test_a_damaged_value_is_no_value(data: st.DataObject, refs: list[int]) -> None:
    assert decode_postings(data.draw(damaged(encoded(refs)))) is None


@given(st.binary(max_size=40))
def test_any_other_bytes_are_no_value(value: bytes) -> None:
    assert decode_postings(value) is None


def test_values_of_thanos_are_not_taken_for_postings() -> None:
    assert decode_postings(b"dvs" + bytes(20)) is None


def test_a_cut_value_is_no_value() -> None:
    value = encoded([1, 2, 3])
    assert [decode_postings(value[:size]) for size in range(len(value))] == [None] * len(value)


def test_a_value_with_more_behind_it_is_no_value() -> None:
    assert decode_postings(encoded([1, 2, 3]) + bytes(4)) is None


def test_decoded_refs_cannot_be_changed() -> None:
    decoded = decode_postings(encoded([1, 2, 3]))
    assert decoded is not None
    with pytest.raises(ValueError, match="read-only"):
        decoded[0] = 5


def test_a_value_is_a_head_of_twelve_bytes_and_four_for_each_ref() -> None:
    assert len(encoded([1, 2, 3])) == 12 + 3 * 4
