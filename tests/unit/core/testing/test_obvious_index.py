"""The obvious reader refuses every break of the rules."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.errors import CorruptError
from storegate.testing.crc32c import crc32c
from storegate.testing.index_writer import ChunkEntry, IndexSeries, build_index
from storegate.testing.obvious import read_index

SERIES = [
    IndexSeries(((b"a", str(number).encode()), (b"job", b"api")), [ChunkEntry(number, number + 9, 8 + number)])
    for number in range(5)
]
INDEX = build_index(SERIES).data


def with_toc(data: bytes, **changes: int) -> bytes:
    """The index with fields of its table of contents replaced and the checksum put right."""
    toc = {**read_index(data).toc, **changes}
    body = struct.pack(">6Q", *toc.values())
    return data[:-52] + body + struct.pack(">I", crc32c(body))


def test_a_whole_index_is_read() -> None:
    index = read_index(INDEX)
    assert index.label_names() == ["a", "job"]
    assert index.label_values("a") == ["0", "1", "2", "3", "4"]
    assert index.label_values("nope") == []
    assert [index.series[offset].chunks[0].min_time for offset in index.postings["job", "api"]] == [0, 1, 2, 3, 4]


@given(st.integers(0, len(INDEX) - 1), st.integers(1, 255))
def test_no_flipped_byte_goes_unnoticed_except_in_padding(position: int, change: int) -> None:
    data = bytearray(INDEX)
    data[position] ^= change
    try:
        index = read_index(bytes(data))
    except CorruptError:
        return
    assert INDEX[position] == 0
    assert index.series == read_index(INDEX).series


@given(st.integers(0, len(INDEX) - 1))
def test_a_truncated_index_is_refused(size: int) -> None:
    with pytest.raises(CorruptError):
        read_index(INDEX[:size])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0" * 100, "magic"),
        (INDEX[:4] + b"\3" + INDEX[5:], "version 3"),
        (with_toc(INDEX, symbols=6), "symbol table"),
        (with_toc(INDEX, postings_offset_table=len(INDEX)), "out of order"),
        (with_toc(INDEX, series=5), "out of order"),
    ],
)
def test_a_broken_frame_names_the_rule(data: bytes, message: str) -> None:
    with pytest.raises(CorruptError, match=message):
        read_index(data, "somewhere/index")


def test_an_error_names_the_object() -> None:
    with pytest.raises(CorruptError, match=r"^somewhere/index: "):
        read_index(b"", "somewhere/index")


def test_labels_out_of_order_inside_a_series_are_sorted() -> None:
    index = read_index(build_index([IndexSeries(((b"b", b"1"), (b"a", b"2")), [])]).data)
    (series,) = index.series.values()
    assert series.labels == (("a", "2"), ("b", "1"))


def test_a_series_without_labels_is_refused() -> None:
    with pytest.raises(CorruptError, match="0 labels"):
        read_index(build_index([IndexSeries((), [])]).data)
