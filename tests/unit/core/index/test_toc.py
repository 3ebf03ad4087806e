"""The fixed-size parts of an index."""

from __future__ import annotations

import struct

import pytest

from storegate.errors import CorruptError
from storegate.index.toc import parse_index_version, parse_toc
from storegate.testing.crc32c import crc32c

SIZE = 1000


def toc(*fields):
    body = struct.pack(">6Q", *fields)
    return body + struct.pack(">I", crc32c(body))


@pytest.mark.parametrize("version", [1, 2])
def test_versions_1_and_2_are_known(version):
    assert parse_index_version(bytes.fromhex("baaad700") + bytes([version]), "x") == version


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "magic number"),
        (bytes.fromhex("baaad700"), "magic number"),
        (bytes.fromhex("baaad70102"), "magic number"),
        (bytes.fromhex("baaad70003"), "version 3 is not supported"),
        (bytes.fromhex("baaad70000"), "version 0 is not supported"),
    ],
)
def test_other_files_are_refused(data, text):
    with pytest.raises(CorruptError, match=f"block/index: .*{text}"):
        parse_index_version(data, "block/index")


def test_the_fields_are_read_in_their_stored_order():
    found = parse_toc(toc(5, 100, 200, 400, 300, 500), SIZE, "x")
    assert (found.symbols, found.series, found.label_indices) == (5, 100, 200)
    assert (found.label_offset_table, found.postings, found.postings_offset_table) == (400, 300, 500)


@pytest.mark.parametrize(
    ("label_offset_table", "end"), [(400, 400), (500, 500), (0, 500), (300, 500), (600, 500)], ids=str
)
def test_postings_end_where_an_old_label_offset_table_begins(label_offset_table, end):
    assert parse_toc(toc(5, 100, 200, label_offset_table, 300, 500), SIZE, "x").postings_end == end


@pytest.mark.parametrize(
    "fields",
    [
        (4, 100, 200, 400, 300, 500),
        (100, 100, 200, 400, 300, 500),
        (5, 301, 200, 400, 300, 500),
        (5, 100, 200, 400, 501, 500),
        (5, 100, 200, 400, 300, SIZE - 63),
        (5, 100, 200, 400, 300, 2**64 - 1),
        (2**63, 2**63 + 1, 2**63 + 1, 2**63 + 1, 2**63 + 1, 2**63 + 1),
    ],
)
def test_offsets_out_of_order_or_out_of_the_file_are_refused(fields):
    with pytest.raises(CorruptError, match="points outside the file"):
        parse_toc(toc(*fields), SIZE, "x")


def test_a_wrong_checksum_is_refused_with_its_offset():
    data = bytearray(toc(5, 100, 200, 400, 300, 500))
    data[7] ^= 1
    with pytest.raises(CorruptError, match=r"checksum of the table of contents .* \(at offset 948\)"):
        parse_toc(bytes(data), SIZE, "x")


def test_a_short_tail_is_refused():
    with pytest.raises(CorruptError, match="checksum"):
        parse_toc(b"123", SIZE, "x")
