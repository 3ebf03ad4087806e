"""Open index-headers: look-ups, and what is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.errors import CorruptError
from storegate.index.header import IndexHeader, build_index_header
from storegate.testing.crc32c import crc32c
from storegate.testing.index_writer import IndexSeries, build_index
from storegate.testing.memory_store import MemoryStore
from storegate.testing.strategies import damaged

SERIES = [IndexSeries(((b"__name__", b"up"), (b"i", b"i%03d" % i), (b"job", b"api")), []) for i in range(70)]


def header_of(built):
    data = build_index_header(MemoryStore({"k": built.data}), "k", len(built.data), None)
    assert data is not None
    return data


INDEXES = {version: build_index(SERIES, version=version) for version in (1, 2)}
HEADERS = {version: header_of(built) for version, built in INDEXES.items()}


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def version(request):
    return request.param


@pytest.fixture
def header(version):
    return IndexHeader.from_bytes(HEADERS[version])


def test_label_names_are_sorted_without_the_empty_one(header):
    assert header.label_names() == [b"__name__", b"i", b"job"]


def test_label_values_are_sorted(header):
    assert header.label_values(b"i") == [b"i%03d" % i for i in range(70)]


def test_an_unknown_name_has_no_values(header):
    assert header.label_values(b"nope") == []


def test_the_empty_name_has_no_values(header):
    assert header.label_values(b"") == []


def test_ranges_are_minus_one_where_there_is_no_list(header):
    found = header.ranges(b"i", [b"i0005", b"i032", b"i0699"])
    assert [tuple(pair) for pair in found.tolist()][::2] == [(-1, -1), (-1, -1)]
    assert header.ranges(b"nope", [b"x"]).tolist() == [[-1, -1]]


def test_ranges_go_from_the_count_to_the_checksum(header, version):
    data = INDEXES[version].data
    for value in (b"i000", b"i031", b"i032", b"i069"):
        start, end = header.ranges(b"i", [value]).tolist()[0]
        assert data[start - 4 : start + 4] == struct.pack(">II", 8, 1)
        assert crc32c(data[start:end]) == int.from_bytes(data[end : end + 4], "big")


@pytest.mark.parametrize("label_indices", [True, False])
@pytest.mark.parametrize("sampling", [1, 2, 32])
def test_the_last_list_ends_at_its_checksum(label_indices, sampling, version):
    built = build_index(SERIES, version=version, label_indices=label_indices)
    header = IndexHeader.from_bytes(header_of(built), sampling=sampling)
    start, end = max(tuple(found) for found in header.ranges(b"job", [b"api"]).tolist())
    assert end - start == 4 + 4 * 70


def test_the_list_of_all_series_is_found(header):
    start, end = header.ranges(b"", [b""]).tolist()[0]
    assert end - start == 4 + 4 * 70


def test_the_series_section_and_scale_are_known(header, version):
    offsets = INDEXES[version].offsets
    assert header.series[0] <= offsets[0]
    assert offsets[-1] < header.series[1]
    assert header.scale == {1: 1, 2: 16}[version]
    assert header.version == version


def test_symbols_are_found_by_text(header):
    ordinal, known = header.symbols.find(b"job")
    assert (known, header.symbols.text(ordinal)) == (True, b"job")


def test_a_header_is_opened_from_a_file(tmp_path, version):
    path = tmp_path / "index-header"
    path.write_bytes(HEADERS[version])
    header = IndexHeader.open(path)
    assert header.label_names() == [b"__name__", b"i", b"job"]
    assert header.memory > 0
    header.close()


def test_values_stay_readable_after_the_header_was_closed(tmp_path):
    path = tmp_path / "index-header"
    path.write_bytes(HEADERS[2])
    header = IndexHeader.open(path)
    values = header.postings.values(b"i")
    header.close()
    assert values.text(69) == b"i069"


@pytest.mark.parametrize("size", [0, 13, 33, 40, 71, 100])
def test_a_short_file_is_corrupt(tmp_path, size):
    path = tmp_path / "index-header"
    path.write_bytes(HEADERS[2][:size])
    with pytest.raises(CorruptError, match="index-header"):
        IndexHeader.open(path)


def resealed(data, *, symbols_at=14, table_at=None):
    """The header with other offsets in its own end."""
    known = struct.unpack(">QQ", data[-20:-4])
    own = struct.pack(">QQ", symbols_at, known[1] if table_at is None else table_at)
    return data[:-20] + own + struct.pack(">I", crc32c(own))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: b"\0" + d[1:], "not an index-header of version 1"),
        (lambda d: d[:4] + b"\2" + d[5:], "not an index-header of version 1"),
        (lambda d: d[:5] + b"\3" + d[6:], "version 3 is not supported"),
        (lambda d: d[:-1] + bytes([d[-1] ^ 1]), "checksum of the index-header's end"),
        (lambda d: resealed(d, symbols_at=15), "points outside the file"),
        (lambda d: resealed(d, table_at=14), "points outside the file"),
        (lambda d: resealed(d, table_at=2**63), "points outside the file"),
        (lambda d: resealed(d, table_at=len(d)), "points outside the file"),
        (lambda d: d[:13] + bytes([d[13] ^ 1]) + d[14:], "belong to different indexes|points outside"),
        (lambda d: d[:30] + bytes([d[30] ^ 1]) + d[31:], "checksum of the symbol table"),
    ],
)
def test_a_damaged_header_is_told_with_what_is_wrong(change, text, version):
    with pytest.raises(CorruptError, match=text):
        IndexHeader.from_bytes(change(HEADERS[version]), name="x")


@given(data=st.data(), version=st.sampled_from((1, 2)))
def test_no_damage_goes_unnoticed(data, version):
    with pytest.raises(CorruptError):
        IndexHeader.from_bytes(data.draw(damaged(HEADERS[version])))


def table_entry(name, value, offset):
    return b"\x02" + bytes([len(name)]) + name + bytes([len(value)]) + value + bytes([offset])


def index_with_table(entries, version):
    """A header whose postings table holds these entries; lists may lie from 38 to 100."""

    def section(body):
        return struct.pack(">I", len(body)) + body + struct.pack(">I", crc32c(body))

    symbols = section(struct.pack(">I", 1) + b"\0")
    table = section(struct.pack(">I", len(entries)) + b"".join(table_entry(*entry) for entry in entries))
    body = struct.pack(">6Q", 5, 18, 38, 38, 38, 100)
    toc = body + struct.pack(">I", crc32c(body))
    head = struct.pack(">IBBQ", 0xBAAAD792, 1, version, 100) + symbols
    own = struct.pack(">QQ", 14, len(head))
    return head + table + toc + own + struct.pack(">I", crc32c(own))


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([(b"a", b"b", 40)], "all series is missing"),
        ([(b"", b"", 37)], "outside the postings section"),
        ([(b"", b"", 101)], "outside the postings section"),
        ([(b"", b"", 40), (b"a", b"b", 51)], "longer than its place"),
        ([(b"", b"", 89)], "longer than its place"),
        ([(b"", b"", 40), (b"a", b"b", 52), (b"a", b"b", 64)], "not in ascending order"),
    ],
)
def test_a_table_with_impossible_lists_is_refused(entries, text, version):
    with pytest.raises(CorruptError, match=text):
        IndexHeader.from_bytes(index_with_table(entries, version))


def test_lists_of_version_1_may_lie_in_any_order():
    header = IndexHeader.from_bytes(index_with_table([(b"b", b"x", 88), (b"", b"", 52), (b"a", b"y", 40)], 1))
    assert header.label_names() == [b"a", b"b"]
    assert header.ranges(b"a", [b"y"]).tolist() == [[44, 48]]
    assert header.ranges(b"", [b""]).tolist() == [[56, 84]]
    assert header.ranges(b"b", [b"x"]).tolist() == [[92, 96]]


def test_version_2_refuses_lists_in_another_order():
    with pytest.raises(CorruptError, match=r"do not ascend|not in ascending order"):
        IndexHeader.from_bytes(index_with_table([(b"", b"", 52), (b"a", b"y", 40)], 2))


def test_the_same_index_has_the_same_identity(version):
    assert IndexHeader.from_bytes(HEADERS[version]).identity == IndexHeader.from_bytes(HEADERS[version]).identity


@pytest.mark.parametrize(
    "series",
    [
        SERIES[:-1],
        [*SERIES[:-1], IndexSeries(((b"__name__", b"up"), (b"i", b"i069"), (b"job", b"apj")), [])],
    ],
    ids=["one less", "another label"],
)
def test_another_index_has_another_identity(version, series):
    other = header_of(build_index(series, version=version))
    assert IndexHeader.from_bytes(other).identity != IndexHeader.from_bytes(HEADERS[version]).identity


def test_an_index_that_was_written_again_has_another_identity(version):
    found = {IndexHeader.from_bytes(HEADERS[version], modified=time).identity for time in (None, 1, 2)}
    assert len(found) == 3
