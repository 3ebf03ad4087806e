"""The symbol table by ordinal, in both versions of the index."""

from __future__ import annotations

import struct
from bisect import bisect_left

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.errors import CorruptError
from storegate.index.symbols import Symbols
from storegate.testing.varint import put_uvarint

TEXTS = st.lists(st.one_of(st.binary(max_size=3), st.just(b"x" * 200)), max_size=12, unique=True)
BODY = 18
"""Where the body begins in an index-header; the same body begins 9 bytes earlier in the index."""


def symbols_of(texts, version=2, count=None):
    """The symbols, and each one's offset in the index."""
    body, offsets = struct.pack(">I", len(texts) if count is None else count), []
    for text in texts:
        offsets.append(BODY - 9 + len(body))
        body += put_uvarint(len(text)) + text
    data = memoryview(bytes(BODY) + body + b"trailer")
    return Symbols(data, BODY, BODY + len(body), version, "header"), offsets


@given(texts=TEXTS)
def test_symbols_are_found_by_ordinal_and_by_text(texts):
    texts = sorted(texts)
    symbols, _ = symbols_of(texts)
    assert len(symbols) == symbols.limit == len(texts)
    assert [symbols.text(i) for i in range(len(texts))] == texts
    for text in (*texts, b"", b"m", b"x" * 201):
        at = bisect_left(texts, text)
        assert symbols.find(text) == (at, text in texts)


@given(texts=TEXTS)
def test_version_1_orders_symbols_that_lie_in_any_order(texts):
    symbols, offsets = symbols_of(texts, version=1)
    assert [symbols.text(i) for i in range(len(texts))] == sorted(texts)
    assert symbols.ordinals(np.array(offsets, np.uint32), "x").tolist() == [sorted(texts).index(text) for text in texts]


def test_version_2_takes_refs_as_ordinals():
    refs = np.array([1, 0], np.uint32)
    assert symbols_of([b"a", b"b"])[0].ordinals(refs, "x") is refs


@pytest.mark.parametrize("wrong", [0, 12, 2**32 - 1])
def test_a_version_1_ref_beside_a_symbol_is_corrupt(wrong):
    symbols, offsets = symbols_of([b"", b"ab"], version=1)
    with pytest.raises(CorruptError, match=r"block/index: .*unknown symbol"):
        symbols.ordinals(np.array([offsets[0], wrong], np.uint32), "block/index")


def test_a_version_1_ref_into_an_empty_table_is_corrupt():
    with pytest.raises(CorruptError, match="unknown symbol"):
        symbols_of([], version=1)[0].ordinals(np.array([9], np.uint32), "x")


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("count", "text"), [(3, "cannot fit"), (2**32 - 1, "cannot fit"), (0, "left over")])
def test_a_wrong_count_is_corrupt(version, count, text):
    with pytest.raises(CorruptError, match=f"header: .*{text}"):
        symbols_of([b"a"], version, count)


def test_unordered_symbols_of_version_2_are_corrupt():
    with pytest.raises(CorruptError, match="symbols are not in ascending order"):
        symbols_of([b"b", b"a"])
