"""Small values that show when they are damaged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.cache.values import (
    UNKNOWN,
    pack,
    pack_infos,
    pack_json,
    pack_presence,
    unpack,
    unpack_infos,
    unpack_json,
    unpack_presence,
)
from storegate.types import ObjectInfo

INFO = ObjectInfo(key="k", size=5, modified=1_700_000_000_000)


@given(st.binary())
def test_data_comes_back(data: bytes) -> None:
    assert unpack(pack(data)) == data


@given(st.binary(min_size=1, max_size=30), st.data())
def test_a_value_that_was_cut_off_or_changed_is_none(data: bytes, draw: st.DataObject) -> None:
    value = pack(data)
    at = draw.draw(st.integers(0, len(value) - 1))
    assert unpack(value[:at]) is None
    assert unpack(value[:at] + bytes([value[at] ^ draw.draw(st.integers(1, 255))]) + value[at + 1 :]) is None


def test_absent_and_unknown_values_say_nothing() -> None:
    assert (unpack(None), unpack(UNKNOWN)) == (None, None)


@pytest.mark.parametrize("text", [b"{", b"\xff", b"[1, 2"])
def test_a_value_that_is_no_json_is_none(text: bytes) -> None:
    assert unpack_json(pack(text)) is None


def test_a_listing_comes_back() -> None:
    infos = [INFO, ObjectInfo(key="folder/"), ObjectInfo(key="ü", size=0, modified=-1)]
    assert unpack_infos(pack_infos(infos)) == infos


@pytest.mark.parametrize(
    "document", [{}, 1, None, [1], [["k"]], [["k", "5", None]], [["k", -1, None]], [["k", 1.5, None]], [[1, 1, 1]]]
)
def test_what_is_no_listing_is_none(document: object) -> None:
    assert unpack_infos(pack_json(document)) is None


def test_presence_comes_back_with_attributes() -> None:
    assert unpack_presence("k", pack_presence(INFO)) == (True, INFO)


@pytest.mark.parametrize("exists", [True, False])
def test_presence_comes_back_without_attributes(exists: bool) -> None:
    assert unpack_presence("k", pack_presence(None, exists=exists)) == (exists, None)


@pytest.mark.parametrize("document", [[], {}, {"exists": 1}, {"exists": None, "size": 1}])
def test_what_does_not_say_whether_an_object_exists_is_unknown(document: object) -> None:
    assert unpack_presence("k", pack_json(document)) == (None, None)


def test_attributes_that_make_no_sense_are_left_out() -> None:
    assert unpack_presence("k", pack_json({"exists": True, "size": -5, "modified": 1})) == (True, None)


def test_values_hold_plain_json() -> None:
    assert json.loads(pack_presence(INFO)[4:]) == {"exists": True, "size": 5, "modified": 1_700_000_000_000}
