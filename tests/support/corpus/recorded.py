"""The corpus of recorded answers: its requests, and answers in its own form.

A corpus is a folder with `bucket.tar.gz`, `requests.json` and `answers.json.gz`; `STOREGATE_CORPUS` names another one
than `tests/conformance/data/`. The README there tells what the files hold and what must be equal.
"""

from __future__ import annotations

import gzip
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import xxhash
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import ParseDict

from storegate_proto.info.infopb import rpc_pb2 as info_pb2
from storegate_proto.store.hintspb import hints_pb2
from storegate_proto.store.storepb import rpc_pb2, types_pb2

FOLDER = Path(__file__).resolve().parents[2] / "conformance/data"
CORPUS = Path(os.environ.get("STOREGATE_CORPUS") or FOLDER)
AGGREGATES = ("raw", "count", "sum", "min", "max", "counter")

Answer = dict[str, Any]


@cache
def recorded_requests() -> dict[str, Any]:
    return json.loads((CORPUS / "requests.json").read_bytes())


@cache
def recorded_answers() -> dict[str, dict[str, Answer]]:
    return json.loads(gzip.decompress((CORPUS / "answers.json.gz").read_bytes()))


def message(method: str, fields: dict[str, Any]) -> Any:
    """The protobuf request; `block_hints` stands for the packed `hints` field."""
    fields = dict(fields)
    hints = fields.pop("block_hints", None)
    built = ParseDict(fields, getattr(rpc_pb2, f"{method}Request")())
    if hints is not None:
        packed = getattr(hints_pb2, f"{method}RequestHints")()
        for kind, name, value in hints.get("matchers") or ():
            packed.block_matchers.append(types_pb2.LabelMatcher(type=kind, name=name, value=value))
        if method == "Series":
            packed.enable_query_stats = bool(hints.get("stats"))
        type_url = f"type.googleapis.com/hintspb.{method}RequestHints"
        built.hints.CopyFrom(AnyMessage(type_url=type_url, value=packed.SerializeToString()))
    return built


# --- answers in the corpus' form ---


def series_answer(stream: Any) -> Answer:
    answer: Answer = {"code": "OK", "series": [], "frames": [], "warnings": [], "hints": None}
    for frame in stream:
        kind = frame.WhichOneof("result")
        if kind == "series":
            answer["frames"].append(1)
            answer["series"].append(series_entry(frame.series))
        elif kind == "batch":
            answer["frames"].append(-len(frame.batch.series))
            answer["series"].extend(series_entry(series) for series in frame.batch.series)
        elif kind == "warning":
            answer["warnings"].append(frame.warning)
        elif kind == "hints":
            answer["hints"] = hints_entry(frame.hints)
    return answer


def series_entry(series: types_pb2.Series) -> Answer:
    return {
        "labels": [[label.name, label.value] for label in series.labels],
        "chunks": [chunk_entry(chunk) for chunk in series.chunks],
    }


def chunk_entry(chunk: types_pb2.AggrChunk) -> Answer:
    entry: Answer = {"min": chunk.min_time, "max": chunk.max_time}
    for name in AGGREGATES:
        if chunk.HasField(name):
            part = getattr(chunk, name)
            digest = xxhash.xxh64_hexdigest(part.data)
            entry[f"aggr_{name}"] = [part.type, len(part.data), digest, f"{part.hash:016x}"]
    return entry


def labels_answer(response: Any) -> Answer:
    values = response.names if isinstance(response, rpc_pb2.LabelNamesResponse) else response.values
    hints = hints_entry(response.hints) if response.HasField("hints") else None
    return {"code": "OK", "values": list(values), "warnings": list(response.warnings), "hints": hints}


def hints_entry(packed: AnyMessage) -> Answer:
    kind = getattr(hints_pb2, packed.type_url.rpartition(".")[2])
    hints = kind.FromString(packed.value)
    return {
        "type_url": packed.type_url,
        "queried_blocks": sorted(block.id for block in hints.queried_blocks),
        "has_stats": kind is hints_pb2.SeriesResponseHints and hints.HasField("query_stats"),
    }


def info_answer(info: info_pb2.InfoResponse) -> Answer:
    def labels(entry: Any) -> list[list[str]]:
        return [[label.name, label.value] for label in entry.labels]

    store = info.store
    return {
        "component": info.ComponentType,
        "label_sets": [labels(entry) for entry in info.label_sets],
        "store": {
            "min_time": store.min_time,
            "max_time": store.max_time,
            "supports_sharding": store.supports_sharding,
            "supports_without_replica_labels": store.supports_without_replica_labels,
            "tsdb_infos": [[labels(entry.labels), entry.min_time, entry.max_time] for entry in store.tsdb_infos],
        },
    }
