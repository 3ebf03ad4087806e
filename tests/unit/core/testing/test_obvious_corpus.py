"""The obvious engine gives the answers that Thanos Store gave: the whole `default` group of the recorded corpus."""

from __future__ import annotations

import gzip
import json
import tarfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import xxhash

from storegate.errors import InvalidRequestError
from storegate.query.request import (
    LabelMatcher,
    LabelNamesRequest,
    LabelsAnswer,
    LabelValuesRequest,
    SeriesRequest,
    Shard,
)
from storegate.testing import ObviousBlock, obvious_label_names, obvious_label_values, obvious_series, read_bucket

CORPUS = Path(__file__).parents[3] / "conformance" / "data"
Answer = dict[str, Any]


@cache
def requests() -> dict[str, Any]:
    return json.loads((CORPUS / "requests.json").read_bytes())


@cache
def answers() -> dict[str, Answer]:
    return json.loads(gzip.decompress((CORPUS / "answers.json.gz").read_bytes()))["default"]


CASES = next(group["cases"] for group in requests()["groups"] if group["group"] == "default")


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> list[ObviousBlock]:
    folder = tmp_path_factory.mktemp("bucket")
    with tarfile.open(CORPUS / "bucket.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return read_bucket(folder, int(time.time() * 1000))


@pytest.mark.parametrize("case", CASES)
def test_the_answer_is_that_of_the_reference(blocks: list[ObviousBlock], case: str) -> None:
    asked = requests()["requests"][case]
    expected = answers()[case]
    assert answer(blocks, asked["method"], asked["request"]) == reduced(expected, asked["method"])


def answer(blocks: list[ObviousBlock], method: str, request: Answer) -> Answer:
    try:
        if method == "Series":
            return {"code": "OK", "series": series(blocks, request)}
        return {"code": "OK", **labels(blocks, method, request)}
    except InvalidRequestError:
        return {"code": "INVALID_ARGUMENT"}


def reduced(expected: Answer, method: str) -> Answer:
    """The parts of a recorded answer that do not depend on the transport."""
    if expected["code"] != "OK":
        return {"code": expected["code"]}
    if method == "Series":
        return {"code": "OK", "series": [recorded(one) for one in expected["series"]]}
    hints = expected["hints"]
    return {"code": "OK", "values": expected["values"], "blocks": hints and hints["queried_blocks"]}


def recorded(one: Answer) -> Answer:
    chunks = [
        {name: value[:3] if isinstance(value, list) else value for name, value in chunk.items()}
        for chunk in one["chunks"]
    ]
    return {"labels": one["labels"], "chunks": chunks}


def series(blocks: list[ObviousBlock], request: Answer) -> list[Answer]:
    found = obvious_series(blocks, series_request(request), strict_aggregates=True)
    return [
        {
            "labels": [list(pair) for pair in one.labels],
            "chunks": [
                {"min": chunk.min_time, "max": chunk.max_time}
                | {
                    f"aggr_{name}": [encoding, len(data), xxhash.xxh64_hexdigest(data)]
                    for name, (encoding, data) in chunk.aggregates.items()
                }
                for chunk in one.chunks
            ],
        }
        for one in found
    ]


def labels(blocks: list[ObviousBlock], method: str, request: Answer) -> Answer:
    common = {
        "start": int(request.get("start", 0)),
        "end": int(request.get("end", 0)),
        "matchers": matchers(request),
        "without_replica_labels": tuple(request.get("without_replica_labels", ())),
        "limit": int(request.get("limit", 0)),
        "block_matchers": block_matchers(request),
    }
    found: LabelsAnswer
    if method == "LabelNames":
        found = obvious_label_names(blocks, LabelNamesRequest(**common))
    else:
        found = obvious_label_values(blocks, LabelValuesRequest(label=request.get("label", ""), **common))
    return {"values": found.values, "blocks": None if found.blocks is None else sorted(found.blocks)}


def series_request(request: Answer) -> SeriesRequest:
    return SeriesRequest(
        min_time=int(request.get("min_time", 0)),
        max_time=int(request.get("max_time", 0)),
        matchers=matchers(request),
        max_resolution=int(request.get("max_resolution_window", 0)),
        aggregates=tuple(request.get("aggregates", ())),
        skip_chunks=request.get("skip_chunks", False),
        shard=shard(request.get("shard_info")),
        without_replica_labels=tuple(request.get("without_replica_labels", ())),
        limit=int(request.get("limit", 0)),
        block_matchers=block_matchers(request),
    )


def shard(info: Answer | None) -> Shard | None:
    if info is None:
        return None
    index, total = int(info.get("shard_index", 0)), int(info.get("total_shards", 0))
    return Shard(index=index, total=total, by=info.get("by", False), labels=tuple(info.get("labels", ())))


def matchers(request: Answer) -> tuple[LabelMatcher, ...]:
    return tuple(
        LabelMatcher(one.get("type", 0), one.get("name", ""), one.get("value", "")) for one in request["matchers"]
    )


def block_matchers(request: Answer) -> tuple[LabelMatcher, ...]:
    return tuple(LabelMatcher(*one) for one in request.get("block_hints", {}).get("matchers", ()))
