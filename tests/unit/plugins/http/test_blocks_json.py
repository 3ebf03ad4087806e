"""Block metas in the form of the reference."""

from __future__ import annotations

import json

from storegate.block.meta import parse_meta
from storegate_http.blocks_json import block_json

ULID = "01M3250V000000000000000001"
PARENT = "01M3250V000000000000000002"
WHOLE = {
    "ulid": ULID,
    "minTime": 1,
    "maxTime": 9,
    "stats": {"numSamples": 4, "numFloatSamples": 4, "numSeries": 2, "numChunks": 2},
    "compaction": {
        "level": 2,
        "sources": [PARENT],
        "deletable": True,
        "parents": [{"ulid": PARENT, "minTime": 1, "maxTime": 5}],
        "failed": True,
        "hints": ["from-out-of-order"],
    },
    "version": 1,
    "thanos": {
        "version": 1,
        "labels": {"a": "b"},
        "downsample": {"resolution": 300000},
        "source": "compactor",
        "segment_files": ["000001"],
        "files": [
            {"rel_path": "chunks/000001", "size_bytes": 5, "hash": {"hashFunc": "SHA256", "value": "ab"}},
            {"rel_path": "meta.json"},
        ],
        "rewrites": [{"sources": [PARENT]}],
        "index_stats": {"series_max_size": 64, "chunk_max_size": 1097},
        "extensions": {"tenant": "x"},
        "upload_time": "2026-11-22T17:41:52.387392018Z",
    },
}


def shown(document):
    return block_json(parse_meta(json.dumps(document).encode(), ULID))


def test_a_whole_meta_comes_through_as_it_is() -> None:
    assert shown(WHOLE) == WHOLE


def test_the_order_of_keys_is_that_of_the_reference() -> None:
    assert json.dumps(shown(WHOLE)) == json.dumps(WHOLE)


def test_members_that_nobody_knows_are_left_out() -> None:
    assert shown(WHOLE | {"novelty": 1}) == WHOLE


def test_what_is_absent_is_left_out_but_for_what_is_always_there() -> None:
    assert shown({"ulid": ULID, "minTime": 1, "maxTime": 9, "version": 1}) == {
        "ulid": ULID,
        "minTime": 1,
        "maxTime": 9,
        "stats": {},
        "compaction": {"level": 0},
        "version": 1,
        "thanos": {
            "labels": {},
            "downsample": {"resolution": 0},
            "source": "",
            "index_stats": {},
            "upload_time": "0001-01-01T00:00:00Z",
        },
    }


def test_zeros_and_nulls_are_as_if_absent() -> None:
    document = {
        "ulid": ULID,
        "minTime": 0,
        "maxTime": 0,
        "version": 1,
        "stats": {"numSamples": 0},
        "compaction": {"level": 1, "sources": None, "parents": [], "failed": False},
        "thanos": None,
    }
    assert shown(document)["stats"] == {}
    assert shown(document)["compaction"] == {"level": 1}
