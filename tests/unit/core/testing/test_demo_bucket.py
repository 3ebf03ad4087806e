"""The demo's bucket is small, realistic, and the same for the same time."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from storegate.query.request import LabelMatcher, MatchType, SeriesRequest
from storegate.testing import ObviousBlock, obvious_series, read_index
from storegate.testing.chunks import Histogram
from storegate.testing.demo_bucket import BLOCK, DemoBucket, write_demo_bucket
from storegate.testing.memory_store import MemoryStore

NOW = 1700000000000
NAMES = {
    "http_request_duration_seconds",
    "http_requests_total",
    "process_resident_memory_bytes",
    "queue_length",
    "up",
}


class Written:
    """The bucket of NOW and its blocks."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.bucket: DemoBucket = write_demo_bucket(self.store, NOW)
        self.blocks = [self._read(info.key[:-1]) for info in self.store.list()]

    def _read(self, ulid: str) -> ObviousBlock:
        document = json.loads(self.store.get(f"{ulid}/meta.json"))
        segments = [self.store.get(f"{ulid}/chunks/{name}") for name in document["thanos"]["segment_files"]]
        return ObviousBlock(ulid, document, read_index(self.store.get(f"{ulid}/index")), segments)


@pytest.fixture(scope="module")
def written() -> Written:
    return Written()


def test_it_spans_two_days_that_end_near_now(written: Written) -> None:
    bucket = written.bucket
    assert bucket.end - bucket.start == 2 * 24 * 3600 * 1000
    assert 0 <= NOW - bucket.end < BLOCK
    assert len(written.blocks) == bucket.blocks == 72


def test_blocks_are_aligned_and_not_from_the_future(written: Written) -> None:
    for block in written.blocks:
        assert block.min_time % BLOCK == 0
        assert block.max_time - block.min_time == BLOCK
        assert all(
            block.min_time <= c.min_time <= c.max_time < block.max_time for s in block.series() for c in s.chunks
        )
        assert block.thanos["upload_time"] < "2023-11-14T22:13:21"


def test_numbers_told_are_numbers_written(written: Written) -> None:
    assert written.bucket.samples == sum(block.document["stats"]["numSamples"] for block in written.blocks)
    external = {frozenset(block.labels.items()) for block in written.blocks}
    series = {(frozenset(block.labels.items()), one.labels) for block in written.blocks for one in block.series()}
    assert (len(external), len(series)) == (3, written.bucket.series)


def test_it_holds_counters_gauges_and_native_histograms(written: Written) -> None:
    block = written.blocks[0]
    assert set(block.index.label_values("__name__")) == NAMES
    kinds = {dict(one.labels)["__name__"]: type(block.samples(one)[0][1]) for one in block.series()}
    assert kinds == {**dict.fromkeys(NAMES, float), "http_request_duration_seconds": Histogram}


def test_counters_only_fall_at_a_restart(written: Written) -> None:
    matchers = (
        LabelMatcher(MatchType.EQ, "__name__", "http_requests_total"),
        LabelMatcher(MatchType.EQ, "code", "404"),
    )
    falls = {}
    for block in sorted(written.blocks, key=lambda block: block.min_time):
        for labels, samples in block.select(matchers, 0, NOW):
            key = (labels, *sorted(block.labels.items()))
            last, count = falls.get(key, (0.0, 0))
            for _, value in samples:
                last, count = value, count + (value < last)
            falls[key] = (last, count)
    assert {count for _, count in falls.values()} == {1}


def test_replicas_fold_into_one_series_with_the_chunks_of_both(written: Written) -> None:
    request = SeriesRequest(
        min_time=written.bucket.end - BLOCK,
        max_time=written.bucket.end - 1,
        matchers=(LabelMatcher(MatchType.EQ, "__name__", "up"),),
        without_replica_labels=("replica",),
    )
    answer = obvious_series(written.blocks, request)
    chunks = {cluster: len(one.chunks) for one in answer for cluster in [dict(one.labels)["cluster"]]}
    assert (len(answer), chunks) == (14, {"eu": 4, "us": 2})


def test_the_same_time_gives_the_same_bucket(written: Written) -> None:
    again = MemoryStore()
    write_demo_bucket(again, NOW)
    keys = [info.key for info in again.list(recursive=True)]
    assert [again.get(key) for key in keys] == [written.store.get(key) for key in keys]


def test_it_is_written_with_what_the_base_install_has() -> None:
    code = (
        "import sys\n"
        "for name in ('google_crc32c', 'xxhash', 'hypothesis', 'pytest'): sys.modules[name] = None\n"
        "from storegate.testing.demo_bucket import write_demo_bucket\n"
        "from storegate.testing.memory_store import MemoryStore\n"
        f"print(write_demo_bucket(MemoryStore(), {NOW}).blocks)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("72\n", "")
