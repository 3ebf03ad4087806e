"""Blocks are written as they are read, and the same input gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from storegate.testing import (
    BlockOptions,
    Histogram,
    RawChunk,
    make_ulid,
    read_block,
    write_block,
    write_block_arrays,
    write_block_raw,
)
from storegate.testing.chunks import AGGR, XOR, comparable, encode_xor

CREATED = 1700000000000
UP = {"__name__": "up", "job": "api"}
SAMPLES = [(1000 * number, float(number % 7)) for number in range(300)]


class Memory:
    """A store of nothing but `put`."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data


def meta(folder: Path, ulid: str) -> Mapping[str, object]:
    return json.loads((folder / ulid / "meta.json").read_bytes())


def test_samples_come_back(tmp_path: Path) -> None:
    histograms = [(t * 1000, Histogram(t, 0, float(t), 0, 0.0, ((0, 1),), (), (t,))) for t in range(10)]
    written = write_block(tmp_path, [(UP, SAMPLES), ({"__name__": "latency"}, histograms)])
    block = read_block(tmp_path / written.ulid)
    found = [(dict(series.labels), comparable(block.samples(series))) for series in block.series()]
    assert found == [({"__name__": "latency"}, comparable(histograms)), (UP, comparable(SAMPLES))]


def test_meta_json_tells_what_thanos_tells(tmp_path: Path) -> None:
    written = write_block(
        tmp_path, [(UP, SAMPLES)], external_labels={"cluster": "a"}, created=CREATED, seed=1, source="sidecar"
    )
    assert meta(tmp_path, written.ulid) == written.document
    assert written.document == {
        "ulid": written.ulid,
        "minTime": 0,
        "maxTime": 299001,
        "stats": {"numSamples": 300, "numFloatSamples": 300, "numSeries": 1, "numChunks": 3},
        "compaction": {"level": 1, "sources": [written.ulid]},
        "version": 1,
        "thanos": {
            "version": 1,
            "labels": {"cluster": "a"},
            "downsample": {"resolution": 0},
            "source": "sidecar",
            "index_stats": {"chunk_max_size": written.document["thanos"]["index_stats"]["chunk_max_size"]},
            "upload_time": "2023-11-14T22:13:20.000000Z",
            "segment_files": ["000001"],
            "files": [
                {"rel_path": "chunks/000001", "size_bytes": (tmp_path / written.ulid / "chunks/000001").stat().st_size},
                {"rel_path": "index", "size_bytes": (tmp_path / written.ulid / "index").stat().st_size},
                {"rel_path": "meta.json"},
            ],
        },
    }


def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = Memory(), Memory()
    for store in (first, second):
        write_block(store, [(UP, SAMPLES)], created=CREATED, seed="x")
    assert first.objects == second.objects


def test_seeds_and_times_make_ulids() -> None:
    assert make_ulid(CREATED, 1) == make_ulid(CREATED, 1) != make_ulid(CREATED, 2)
    assert make_ulid(CREATED, None) != make_ulid(CREATED, None)
    assert make_ulid(1795369191252, 1)[:10] == "01M825FHTM"


def test_meta_json_is_put_last() -> None:
    store = Memory()
    written = write_block(store, [(UP, SAMPLES)])
    assert list(store.objects) == [f"{written.ulid}/{path}" for path in ("chunks/000001", "index", "meta.json")]


def test_a_full_segment_is_followed_by_the_next(tmp_path: Path) -> None:
    written = write_block(tmp_path, [(UP, SAMPLES)], segment_size=300, samples_per_chunk=100)
    block = read_block(tmp_path / written.ulid)
    assert written.document["thanos"]["segment_files"] == ["000001", "000002", "000003"]
    assert [chunk.segment for chunk in block.series()[0].chunks] == [0, 1, 2]
    assert block.samples(block.series()[0]) == SAMPLES


def test_series_are_sorted_by_label_set() -> None:
    store = Memory()
    labels = [{"b": "1"}, {"a": "2"}, {"a": "1", "c": "1"}, {"a": "1"}]
    written = write_block(store, [(one, SAMPLES[:1]) for one in labels])
    assert written.document["stats"]["numSeries"] == 4
    series = read_back(store, written.ulid)
    assert series == [(("a", "1"),), (("a", "1"), ("c", "1")), (("a", "2"),), (("b", "1"),)]


def read_back(store: Memory, ulid: str) -> list[tuple[tuple[str, str], ...]]:
    from storegate.testing import read_index

    return [series.labels for series in read_index(store.objects[f"{ulid}/index"]).series.values()]


def test_the_order_given_can_be_kept() -> None:
    store = Memory()
    written = write_block(store, [({"b": "1"}, SAMPLES[:1]), ({"a": "1"}, SAMPLES[:1])], sort=False)
    assert read_back(store, written.ulid) == [(("b", "1"),), (("a", "1"),)]


def test_odd_chunks_are_written_as_given(tmp_path: Path) -> None:
    chunks = [(500, 400, 99, b"odd"), RawChunk(-5, 9, XOR, b""), (0, 0, AGGR, b"?")]
    written = write_block_raw(tmp_path, [(UP, chunks)])
    block = read_block(tmp_path / written.ulid)
    (series,) = block.series()
    assert [(c.min_time, c.max_time, *block.chunk(c)) for c in series.chunks] == [
        (500, 400, 99, b"odd"),
        (-5, 9, XOR, b""),
        (0, 0, AGGR, b"?"),
    ]


def test_a_downsampled_block_counts_the_samples_of_the_count(tmp_path: Path) -> None:
    written = write_block(tmp_path, [(UP, [(t * 60000, 1.0) for t in range(20)])], resolution=300000)
    assert written.document["stats"]["numSamples"] == 4
    assert written.document["thanos"]["downsample"] == {"resolution": 300000}


def test_arrays_give_the_block_that_samples_give() -> None:
    slow, fast = Memory(), Memory()
    labels = [{"n": str(number)} for number in range(5)]
    times = np.arange(250) * 15000 + CREATED
    values = np.random.default_rng(1).normal(size=(5, 250))
    samples = [list(zip(times.tolist(), row.tolist(), strict=True)) for row in values]
    rows = list(zip(labels, samples, strict=True))
    options = BlockOptions(created=CREATED, seed=1)
    write_block(slow, rows, options=options)
    write_block_arrays(fast, labels, times, values, options=options)
    assert slow.objects == fast.objects


def test_a_plain_prometheus_block_has_no_thanos_part(tmp_path: Path) -> None:
    written = write_block(tmp_path, [(UP, SAMPLES)], thanos=False)
    assert "thanos" not in written.document
    assert read_block(tmp_path / written.ulid).labels == {}


def test_members_of_meta_json_can_be_replaced(tmp_path: Path) -> None:
    written = write_block(tmp_path, [(UP, SAMPLES)], meta={"version": 7}, min_time=-5, max_time=10**6)
    document = meta(tmp_path, written.ulid)
    assert (document["version"], document["minTime"], document["maxTime"]) == (7, -5, 10**6)


def test_a_block_without_series_has_no_segments(tmp_path: Path) -> None:
    written = write_block(tmp_path, [])
    assert list(written.sizes) == ["index", "meta.json"]
    assert read_block(tmp_path / written.ulid).series() == []


def test_chunk_estimates_leave_out_the_last_two_chunks_of_a_series() -> None:
    def chunk(size: int) -> RawChunk:
        return RawChunk(0, 1, XOR, bytes(size))

    written = write_block_raw(Memory(), [(UP, [chunk(10), chunk(90), chunk(90)]), ({"a": "b"}, [chunk(50), chunk(50)])])
    assert written.document["thanos"]["index_stats"]["chunk_max_size"] == 10 + 6


def test_text_that_is_not_utf_8_is_written_byte_by_byte() -> None:
    store = Memory()
    written = write_block_raw(store, [({"name": b"\xff".decode("utf-8", "surrogateescape")}, [])])
    assert b"\x01\xff" in store.objects[f"{written.ulid}/index"]
    assert encode_xor([(0, 0.0)])
