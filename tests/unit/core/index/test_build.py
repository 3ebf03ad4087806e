"""Building an index-header from range reads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from storegate.errors import CorruptError, UnavailableError
from storegate.index import build
from storegate.index.build import build_index_header
from storegate.index.header import IndexHeader
from storegate.testing.faults import CountingStore, Fault, FaultyStore, shorten
from storegate.testing.index_writer import ChunkEntry, IndexSeries, build_index
from storegate.testing.memory_store import MemoryStore

# The example index of the format's description, with label index sections.
EXAMPLE = bytes.fromhex(
    "baaad700020000003a00000009000332303003353030085f5f6e616d655f5f03"
    "61706904636f646513687474705f72657175657374735f746f74616c036a6f62"
    "0275706b6877ee0000000000000000001203030605010704018080f4f6905dbc"
    "e3020804c0b7830000000000000000001203030605020704018080f4f6905db0"
    "ea012a1ddee057000000000000000000100203080704018080f4f6905dc0a907"
    "460bd95b3c0000000000001000000001000000020000000600000008858d41c9"
    "0000001000000001000000020000000100000002461967b50000000c00000001"
    "000000010000000420d59ba60000001000000003000000050000000700000009"
    "e93313b60000000c000000020000000500000007ca6fdacb0000000800000001"
    "00000009cc8b06ea00000008000000010000000581c8c93a0000000800000001"
    "0000000760f3b9cd0000001000000003000000050000000700000009e93313b6"
    "0000001f0000000301085f5f6e616d655f5fa8010104636f6465c00101036a6f"
    "62d801c8880a430000005b00000006020000ec0102085f5f6e616d655f5f1368"
    "7474705f72657175657374735f746f74616c840202085f5f6e616d655f5f0275"
    "7098020204636f646503323030a8020204636f646503353030b80202036a6f62"
    "03617069c8020eb1a84200000000000000050000000000000047000000000000"
    "00a5000000000000016000000000000000ec0000000000000187fff63b55"
)
HEADER = (
    bytes.fromhex("baaad792 01 02 0000000000000187")
    + EXAMPLE[0x05:0x47]
    + EXAMPLE[0x187:]
    + bytes.fromhex("000000000000000e 0000000000000050 9878aafc")
)
LARGE = build_index(
    [IndexSeries(((b"pod", b"p-%05d" % i),), [ChunkEntry(0, 1, 8)]) for i in range(3000)], version=2
).data


def over(data, *faults):
    return CountingStore(FaultyStore(MemoryStore({"b/index": data}), *faults))


def test_the_example_is_the_one_described():
    assert len(EXAMPLE) == 542


def test_the_header_of_the_example_is_the_one_described():
    assert build_index_header(over(EXAMPLE), "b/index", len(EXAMPLE), None) == HEADER
    assert len(HEADER) == 251


def test_a_small_index_takes_one_read():
    store = over(EXAMPLE)
    build_index_header(store, "b/index", len(EXAMPLE), None)
    assert store.count("get_range") == store.count() == 1


def test_a_larger_index_takes_two_reads(monkeypatch):
    monkeypatch.setattr(build, "TAIL", 100_000)
    store = over(LARGE)
    assert build_index_header(store, "b/index", len(LARGE), None) is not None
    assert store.count() == 2


@pytest.mark.parametrize("threads", [0, 3])
def test_large_sections_are_read_in_parts(monkeypatch, threads):
    expected = build_index_header(over(LARGE), "b/index", len(LARGE), None)
    monkeypatch.setattr(build, "TAIL", 200)
    monkeypatch.setattr(build, "PART", 1000)
    store = over(LARGE)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        found = build_index_header(store, "b/index", len(LARGE), None, executor=pool if threads else None)
    assert found == expected
    assert store.count() > 20
    assert max(request.length for request in store.requests()) <= 1000


def test_the_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "block" / "index-header"
    assert build_index_header(over(EXAMPLE), "b/index", len(EXAMPLE), path) is None
    assert path.read_bytes() == HEADER
    assert [file.name for file in path.parent.iterdir()] == ["index-header"]


def test_a_failed_build_leaves_no_file(tmp_path):
    path = tmp_path / "index-header"
    with pytest.raises(UnavailableError):
        build_index_header(over(EXAMPLE, Fault(error=UnavailableError("away"))), "b/index", len(EXAMPLE), path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 4, 68])
def test_an_index_that_is_too_small_is_told_with_its_name(size):
    with pytest.raises(CorruptError, match=rf"b/index: the index has {size} bytes, too few"):
        build_index_header(over(bytes(size)), "b/index", size, None)


def test_a_size_that_is_too_large_is_told():
    with pytest.raises(CorruptError, match="the object ended after 542 of 600 bytes"):
        build_index_header(over(EXAMPLE), "b/index", 600, None)


def test_a_short_read_is_told():
    with pytest.raises(CorruptError, match="the object ended after 541 of 542 bytes"):
        build_index_header(over(EXAMPLE, Fault(change=shorten(1))), "b/index", len(EXAMPLE), None)


@pytest.mark.parametrize(
    ("position", "what"),
    [(0, "magic number"), (4, "version 3"), (20, "symbol table"), (0x190, "postings offset table"), (520, "contents")],
)
def test_damage_is_told_with_the_part_that_is_damaged(position, what):
    data = bytearray(EXAMPLE)
    data[position] ^= 1
    with pytest.raises(CorruptError, match=f"b/index: .*{what}"):
        build_index_header(over(bytes(data)), "b/index", len(data), None)


@pytest.mark.parametrize(("at", "what"), [(0x05, "symbol table"), (0x187, "postings offset table")])
def test_a_section_longer_than_its_place_is_told(at, what):
    data = bytearray(EXAMPLE)
    data[at : at + 4] = b"\x7f\xff\xff\xff"
    with pytest.raises(CorruptError, match=f"the {what} is longer than its place"):
        build_index_header(over(bytes(data)), "b/index", len(data), None)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("label_indices", [True, False])
def test_what_was_built_can_be_opened(version, label_indices):
    series = [IndexSeries(((b"a", b"b%d" % i),), []) for i in range(3)]
    data = build_index(series, version=version, label_indices=label_indices).data
    header = build_index_header(over(data), "b/index", len(data), None)
    assert header is not None
    assert IndexHeader.from_bytes(header).label_values(b"a") == [b"b0", b"b1", b"b2"]
