"""The comparison itself: it must see every kind of difference that the corpus' README calls one."""

from __future__ import annotations

import copy

import pytest
import xxhash

from storegate_proto.store.storepb import rpc_pb2

SERIES = {
    "code": "OK",
    "frames": [1, -1],
    "warnings": [],
    "hints": None,
    "series": [
        {"labels": [["a", "1"]], "chunks": [{"min": 1, "max": 2, "aggr_raw": [0, 3, "aa", "aa"]}]},
        {"labels": [["a", "2"]], "chunks": []},
    ],
}
VALUES = {"code": "OK", "values": ["x", "y"], "warnings": [], "hints": {"queried_blocks": ["B"], "has_stats": False}}
INFO = {
    "component": "store",
    "label_sets": [[["r", "eu"]], [["r", "us"]]],
    "store": {"min_time": 1, "max_time": 2, "supports_sharding": True, "tsdb_infos": [[[["r", "eu"]], 1, 2]]},
}


def changed(answer, *path, to):
    answer = copy.deepcopy(answer)
    *way, last = path
    place = answer
    for step in way:
        place = place[step]
    place[last] = to
    return answer


@pytest.mark.parametrize("answer", [SERIES, VALUES])
def test_an_answer_equals_itself(compare, answer):
    assert compare(answer, copy.deepcopy(answer)) == []


@pytest.mark.parametrize(
    "got",
    [
        changed(SERIES, "code", to="UNKNOWN"),
        changed(SERIES, "frames", to=[1, 1]),
        changed(SERIES, "warnings", to=["w"]),
        changed(SERIES, "hints", to={"queried_blocks": []}),
        changed(SERIES, "series", to=SERIES["series"][:1]),
        changed(SERIES, "series", to=SERIES["series"][::-1]),
        changed(SERIES, "series", 0, "labels", to=[["a", "3"]]),
        changed(SERIES, "series", 0, "chunks", to=[]),
        changed(SERIES, "series", 0, "chunks", 0, "min", to=0),
        changed(SERIES, "series", 0, "chunks", 0, "aggr_raw", 2, to="bb"),
        changed(SERIES, "series", 0, "chunks", 0, "aggr_raw", 3, to="bb"),
    ],
    ids=["code", "frames", "warning", "hints", "missing", "order", "label", "no chunk", "time", "data", "hash"],
)
def test_a_difference_in_series_is_found(compare, got):
    assert compare(SERIES, got)


@pytest.mark.parametrize(
    "got",
    [
        changed(VALUES, "values", to=["y", "x"]),
        changed(VALUES, "hints", "queried_blocks", to=["C"]),
        {"code": "INTERNAL", "message": ""},
    ],
    ids=["order", "blocks", "code"],
)
def test_a_difference_in_values_is_found(compare, got):
    assert compare(VALUES, got)


def test_the_text_of_an_error_may_differ(compare):
    assert compare({"code": "UNKNOWN", "message": "a"}, {"code": "UNKNOWN", "message": "b"}) == []


def test_info_may_come_in_another_order_and_without_the_artefact(compare_info):
    expected = changed(INFO, "label_sets", to=[[["@thanos_compatibility_store_type", "store"]], *INFO["label_sets"]])
    assert compare_info(expected, changed(INFO, "label_sets", to=INFO["label_sets"][::-1])) == []


@pytest.mark.parametrize(
    "got",
    [
        changed(INFO, "component", to="sidecar"),
        changed(INFO, "label_sets", to=[]),
        changed(INFO, "store", "min_time", to=0),
        changed(INFO, "store", "supports_sharding", to=False),
        changed(INFO, "store", "tsdb_infos", 0, 2, to=3),
    ],
)
def test_a_difference_in_info_is_found(compare_info, got):
    assert compare_info(INFO, got)


def test_frames_are_read_into_the_form_of_the_corpus(decode_series):
    data = b"samples"
    chunk = {"min_time": 1, "max_time": 2, "raw": {"type": 1, "data": data, "hash": 0xAB}}
    series = {"labels": [{"name": "a", "value": "1"}], "chunks": [chunk]}
    entry = {
        "labels": [["a", "1"]],
        "chunks": [{"min": 1, "max": 2, "aggr_raw": [1, 7, xxhash.xxh64_hexdigest(data), "00000000000000ab"]}],
    }
    frames = [
        rpc_pb2.SeriesResponse(series=series),
        rpc_pb2.SeriesResponse(batch={"series": [series, series]}),
        rpc_pb2.SeriesResponse(warning="w"),
    ]
    answer = decode_series(frames)
    assert answer == {"code": "OK", "series": [entry] * 3, "frames": [1, -2], "warnings": ["w"], "hints": None}
