"""Reading meta.json."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate import BlockMeta, CorruptError
from storegate.block.meta import UnsupportedMetaError, parse_meta

ULID = "01M825K83KN0E4XPQSMTHJ3FD5"
OTHER = "01M825JRKYSWC0ZC6K6WCMC09C"
EXAMPLE: dict[str, Any] = {
    "ulid": ULID,
    "minTime": 1599912000000,
    "maxTime": 1600106340001,
    "stats": {"numSamples": 1296, "numSeries": 2, "numChunks": 6},
    "compaction": {"level": 1, "sources": [OTHER]},
    "version": 1,
    "thanos": {
        "labels": {"cluster": "a"},
        "downsample": {"resolution": 300000},
        "source": "compactor",
        "segment_files": ["000001"],
        "files": [
            {"rel_path": "chunks/000001", "size_bytes": 12216},
            {"rel_path": "index", "size_bytes": 318},
            {"rel_path": "meta.json"},
        ],
        "index_stats": {"series_max_size": 64, "chunk_max_size": 1097},
        "upload_time": "2026-11-22T17:41:52.387392018Z",
    },
}


def parse(document: object) -> BlockMeta:
    return parse_meta(json.dumps(document).encode(), ULID)


def changed(path: str, value: object) -> dict[str, Any]:
    """The example with one member, named by a dotted path, set."""
    document: dict[str, Any] = json.loads(json.dumps(EXAMPLE))
    *parents, last = path.split(".")
    part = document
    for name in parents:
        part = part.setdefault(name, {})
    part[last] = value
    return document


def test_every_member_that_the_gateway_needs_is_read() -> None:
    assert parse(EXAMPLE) == BlockMeta(
        ulid=ULID,
        min_time=1599912000000,
        max_time=1600106340001,
        resolution=300000,
        labels={"cluster": "a"},
        level=1,
        sources=(OTHER,),
        source="compactor",
        upload_time=1795369312387,
        segment_files=("000001",),
        files={"chunks/000001": 12216, "index": 318},
        series_max_size=64,
        chunk_max_size=1097,
        num_series=2,
        num_samples=1296,
        num_chunks=6,
        document=EXAMPLE,
    )


def test_a_plain_prometheus_block_has_no_labels_and_is_raw() -> None:
    meta = parse({"ulid": ULID, "minTime": 1, "maxTime": 2, "version": 1})
    assert (meta.labels, meta.resolution, meta.source, meta.sources, meta.upload_time) == ({}, 0, "", (), None)


@pytest.mark.parametrize(
    "path",
    [
        "stats", "compaction", "thanos", "compaction.sources", "compaction.parents", "thanos.labels",
        "thanos.downsample", "thanos.downsample.resolution", "thanos.source", "thanos.segment_files", "thanos.files",
        "thanos.index_stats", "thanos.upload_time", "thanos.version", "stats.numSeries", "minTime",
    ],
)  # fmt: skip
def test_null_is_the_zero_value(path: str) -> None:
    assert parse(changed(path, None)).ulid == ULID


def test_unknown_members_are_ignored() -> None:
    assert parse(changed("thanos.extensions", {"parquet_migrated": {}})).ulid == ULID


def test_of_repeated_members_the_last_counts() -> None:
    data = f'{{"ulid":"{ULID}","minTime":7,"minTime":1,"maxTime":2,"version":2,"version":1}}'
    assert parse_meta(data.encode(), ULID).min_time == 1


def test_an_upload_time_that_was_never_set_is_none() -> None:
    assert parse(changed("thanos.upload_time", "0001-01-01T00:00:00Z")).upload_time is None


def test_a_null_label_value_is_empty() -> None:
    assert parse(changed("thanos.labels", {"a": None, "b": "1"})).labels == {"a": "", "b": "1"}


def test_invalid_utf8_and_lone_surrogates_become_replacement_characters() -> None:
    data = json.dumps(changed("thanos.labels", {"a": "X", "b": "Y"})).encode()
    meta = parse_meta(data.replace(b'"X"', b'"\xff"').replace(b'"Y"', b'"\\ud83d \\ud83d\\ude00"'), ULID)
    assert meta.labels == {"a": "\ufffd", "b": "\ufffd \U0001f600"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("minTime", 1.0),
        ("minTime", "1"),
        ("minTime", True),
        ("maxTime", 2**63),
        ("minTime", -(2**63) - 1),
        ("minTime", 1600106340002),
        ("stats", []),
        ("stats.numSamples", -1),
        ("stats.numSamples", 2**64),
        ("compaction", "x"),
        ("compaction.level", "1"),
        ("compaction.sources", ["x"]),
        ("compaction.sources", OTHER),
        ("compaction.sources", [OTHER.lower()]),
        ("compaction.parents", [{"ulid": "x"}]),
        ("compaction.parents", [1]),
        ("thanos", []),
        ("thanos.version", "1"),
        ("thanos.labels", {"a": 1}),
        ("thanos.labels", ["a"]),
        ("thanos.downsample.resolution", 0.5),
        ("thanos.source", 1),
        ("thanos.segment_files", [1]),
        ("thanos.files", ["index"]),
        ("thanos.files", [{"rel_path": 1}]),
        ("thanos.files", [{"rel_path": "index", "size_bytes": "1"}]),
        ("thanos.upload_time", "yesterday"),
        ("thanos.upload_time", 1),
        ("ulid", OTHER),
        ("ulid", ULID.lower()),
        ("ulid", None),
    ],
)
def test_a_member_that_breaks_a_rule_is_named(path: str, value: object) -> None:
    with pytest.raises(CorruptError, match=rf"{ULID}/meta.json: .*{path.rpartition('.')[2]}") as caught:
        parse(changed(path, value))
    assert not isinstance(caught.value, UnsupportedMetaError)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{} x",
        json.dumps(EXAMPLE).encode()[:-1],
        b"\xef\xbb\xbf" + json.dumps(EXAMPLE).encode(),
        json.dumps(EXAMPLE).encode("utf-16"),
        b'{"a": NaN}',
        b'{"version": 1, "a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
)
def test_what_is_no_json_object_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptError, match=f"{ULID}/meta.json") as caught:
        parse_meta(data, ULID)
    assert not isinstance(caught.value, UnsupportedMetaError)


@pytest.mark.parametrize(("path", "value"), [("version", 2), ("version", None), ("version", 0), ("thanos.version", 2)])
def test_another_version_is_not_supported_whatever_else_it_holds(path: str, value: object) -> None:
    document = changed(path, value)
    document["minTime"] = "of a new kind"
    with pytest.raises(UnsupportedMetaError, match=r"version (0|2) is not supported"):
        parse(document)


@pytest.mark.parametrize("version", [0, 1])
def test_thanos_version_0_and_1_are_the_same(version: int) -> None:
    assert parse(changed("thanos.version", version)).ulid == ULID


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
PATHS = ["thanos", "stats", "compaction", "minTime", "thanos.files", "thanos.labels", "thanos.index_stats", "version"]


@given(st.sampled_from(PATHS), JSON)
def test_nothing_but_a_meta_or_a_corrupt_error_comes_out(path: str, value: object) -> None:
    try:
        parse(changed(path, value))
    except CorruptError:
        pass


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    with pytest.raises(CorruptError):
        parse_meta(data, ULID)
