"""The index writer, against an index that Prometheus wrote."""

from __future__ import annotations

import pytest

from storegate.testing.index_writer import ChunkEntry, IndexSeries, build_index
from storegate.testing.obvious import read_index

T0 = 1600000000000
GOLDEN = bytes.fromhex(
    "baaad700020000003a00000009000332303003353030085f5f6e616d655f5f0361706904636f646513687474705f7265717565737473"
    "5f746f74616c036a6f620275706b6877ee0000000000000000001203030605010704018080f4f6905dbce3020804c0b7830000000000"
    "000000001203030605020704018080f4f6905db0ea012a1ddee057000000000000000000100203080704018080f4f6905dc0a907460b"
    "d95b3c0000000000001000000001000000020000000600000008858d41c90000001000000001000000020000000100000002461967b5"
    "0000000c00000001000000010000000420d59ba60000001000000003000000050000000700000009e93313b60000000c000000020000"
    "000500000007ca6fdacb000000080000000100000009cc8b06ea00000008000000010000000581c8c93a000000080000000100000007"
    "60f3b9cd0000001000000003000000050000000700000009e93313b60000001f0000000301085f5f6e616d655f5fa8010104636f6465"
    "c00101036a6f62d801c8880a430000005b00000006020000ec0102085f5f6e616d655f5f13687474705f72657175657374735f746f74"
    "616c840202085f5f6e616d655f5f02757098020204636f646503323030a8020204636f646503353030b80202036a6f6203617069c802"
    "0eb1a8420000000000000005000000000000004700000000000000a5000000000000016000000000000000ec0000000000000187fff6"
    "3b55"
)
SERIES = [
    IndexSeries(
        ((b"__name__", b"http_requests_total"), (b"code", b"200"), (b"job", b"api")),
        [ChunkEntry(T0, T0 + 45500, 0x08)],
    ),
    IndexSeries(
        ((b"__name__", b"http_requests_total"), (b"code", b"500"), (b"job", b"api")),
        [ChunkEntry(T0, T0 + 30000, 0x2A)],
    ),
    IndexSeries(((b"__name__", b"up"), (b"job", b"api")), [ChunkEntry(T0, T0 + 120000, 0x46)]),
]


def test_an_index_with_label_indices_is_written_as_prometheus_did() -> None:
    assert build_index(SERIES, label_indices=True).data == GOLDEN


def test_the_offsets_of_series_are_handed_out() -> None:
    built = build_index(SERIES)
    assert built.offsets == [0x50, 0x70, 0x90]
    assert built.series_max_size == 0x20


def test_without_label_indices_the_obsolete_offsets_equal_their_neighbours() -> None:
    toc = read_index(build_index(SERIES).data).toc
    assert toc["label_indices"] == toc["postings"]
    assert toc["label_offset_table"] == toc["postings_offset_table"]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("label_indices", [False, True])
def test_both_versions_and_both_forms_hold_the_same(version: int, label_indices: bool) -> None:
    index = read_index(build_index(SERIES, version=version, label_indices=label_indices).data)
    assert index.version == version
    assert [dict(series.labels)["__name__"] for series in index.series.values()] == ["http_requests_total"] * 2 + ["up"]
    assert [series.chunks[0].ref for series in index.series.values()] == [0x08, 0x2A, 0x46]
    assert index.label_values("code") == ["200", "500"]
    assert len(index.postings["job", "api"]) == 3


def test_version_1_has_no_order_among_its_postings() -> None:
    index = read_index(build_index(SERIES, version=1).data)
    pairs = [(name, value) for name, value, _ in index.table]
    assert pairs != sorted(pairs)


def test_an_index_of_no_series_is_whole() -> None:
    index = read_index(build_index([]).data)
    assert index.postings == {("", ""): []}
    assert index.label_names() == []


def test_chunks_out_of_order_come_back() -> None:
    chunks = [ChunkEntry(1000, 2000, 5 << 32 | 8), ChunkEntry(500, 700, 8), ChunkEntry(-9, -9, 1 << 32 | 100)]
    index = read_index(build_index([IndexSeries(((b"a", b"b"),), chunks)]).data)
    (series,) = index.series.values()
    assert [(chunk.min_time, chunk.max_time, chunk.ref) for chunk in series.chunks] == [
        (chunk.min_time, chunk.max_time, chunk.ref) for chunk in chunks
    ]
    assert (series.chunks[0].segment, series.chunks[0].offset) == (5, 8)


def test_other_versions_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="version 3"):
        build_index([], version=3)
