"""Replays a corpus of recorded answers against `storegate store`.

A corpus is a folder with `bucket.tar.gz`, `requests.json` and `answers.json.gz`; `STOREGATE_CORPUS` names another one
than `data/`. `data/README.md` tells what the files hold and what must be equal.
"""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pytest
import xxhash
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import ParseDict

from storegate_proto.info.infopb import rpc_pb2 as info_pb2
from storegate_proto.info.infopb import rpc_pb2_grpc as info_pb2_grpc
from storegate_proto.store.hintspb import hints_pb2
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc, types_pb2

CORPUS = Path(os.environ.get("STOREGATE_CORPUS") or Path(__file__).parent / "data")
AGGREGATES = ("raw", "count", "sum", "min", "max", "counter")
CALL_SECONDS = 60
ARTEFACT = [["@thanos_compatibility_store_type", "store"]]  # v0.41 and older advertise it, this project does not

Answer = dict[str, Any]


# --- the corpus ---


@cache
def requests() -> dict[str, Any]:
    return json.loads((CORPUS / "requests.json").read_bytes())


@cache
def answers() -> dict[str, dict[str, Answer]]:
    return json.loads(gzip.decompress((CORPUS / "answers.json.gz").read_bytes()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per group and case, one per group for Info, in the order of the groups."""
    groups = requests()["groups"]
    if "case" in metafunc.fixturenames:
        pairs = [(group["group"], case) for group in groups for case in group["cases"]]
        metafunc.parametrize(("group", "case"), pairs, ids=[f"{group}-{case}" for group, case in pairs])
    elif "group" in metafunc.fixturenames:
        names = [group["group"] for group in groups]
        metafunc.parametrize("group", names, ids=names)


# --- the gateway ---


class Server:
    """A running gateway of one group."""

    def __init__(self, group: str, address: str) -> None:
        self.group = group
        self.channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])

    def expected(self, case: str, group: str = "") -> Answer:
        return answers()[group or self.group][case]

    def ask(self, case: str) -> Answer:
        """The answer to a request of the corpus, in the corpus' own form."""
        entry = requests()["requests"][case]
        return ask(self.channel, entry["method"], entry["request"])

    def info(self) -> Answer:
        return info_answer(info_pb2_grpc.InfoStub(self.channel).Info(info_pb2.InfoRequest(), timeout=CALL_SECONDS))


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bucket")
    with tarfile.open(CORPUS / "bucket.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def servers(bucket: Path, start_store: Any) -> Iterator[Callable[[str], Server]]:
    """The gateway of a group, started at the first call; they stay up to the end, for tests come in any order."""
    with ExitStack() as stack:

        @cache
        def start(name: str) -> Server:
            (group,) = (group for group in requests()["groups"] if group["group"] == name)
            store = stack.enter_context(start_store(bucket, group["flags"]))
            server = Server(name, store.grpc_address)
            stack.callback(server.channel.close)
            return server

        yield start


@pytest.fixture
def server(group: str, servers: Callable[[str], Server]) -> Server:
    return servers(group)


# --- asking ---


def ask(channel: grpc.Channel, method: str, fields: dict[str, Any]) -> Answer:
    """Send a request of the corpus; an error is an answer too."""
    stub = rpc_pb2_grpc.StoreStub(channel)
    try:
        if method == "Series":
            return series_answer(stub.Series(message(method, fields), timeout=CALL_SECONDS))
        return labels_answer(getattr(stub, method)(message(method, fields), timeout=CALL_SECONDS))
    except grpc.RpcError as error:
        return {"code": error.code().name, "message": error.details()}


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


# --- the rules of comparison ---


def differences(expected: Answer, got: Answer) -> list[str]:
    """What is not equal, in words; empty when the answer is right. Of an error only its code counts."""
    if expected["code"] != got["code"] or expected["code"] != "OK":
        if expected["code"] == got["code"]:
            return []
        return [f"code: {expected['code']} expected, got {got['code']} {got.get('message', '')}".rstrip()]
    found = []
    for key in ("frames", "values", "warnings", "hints"):
        if expected.get(key) != got.get(key):
            found.append(f"{key}: {short(expected.get(key))} expected, got {short(got.get(key))}")
    return found + series_differences(expected.get("series") or [], got.get("series") or [])


def series_differences(expected: list[Answer], got: list[Answer]) -> list[str]:
    if len(expected) != len(got):
        return [f"series: {len(expected)} expected, got {len(got)}; {first_odd_labels(expected, got)}"]
    for position, (one, other) in enumerate(zip(expected, got, strict=True)):
        if one["labels"] != other["labels"]:
            return [f"series {position}: labels {one['labels']} expected, got {other['labels']}"]
        if one["chunks"] != other["chunks"]:
            return [f"series {position} {one['labels']}: {chunk_difference(one['chunks'], other['chunks'])}"]
    return []


def chunk_difference(expected: list[Answer], got: list[Answer]) -> str:
    if len(expected) != len(got):
        return f"{len(expected)} chunks expected, got {len(got)}: {short(expected)} and {short(got)}"
    for position, (one, other) in enumerate(zip(expected, got, strict=True)):
        if one != other:
            return f"chunk {position}: {one} expected, got {other}"
    return ""


def first_odd_labels(expected: list[Answer], got: list[Answer]) -> str:
    one, other = ([series["labels"] for series in side] for side in (expected, got))
    missing = [labels for labels in one if labels not in other]
    extra = [labels for labels in other if labels not in one]
    return f"missing {short(missing)}, extra {short(extra)}"


def info_differences(expected: Answer, got: Answer) -> list[str]:
    """All of `info` but the order of its lists, without the artefact of old versions."""

    def settled(info: Answer) -> Answer:
        store = info["store"]
        return {
            "component": info["component"],
            "label_sets": sorted(labels for labels in info["label_sets"] if labels != ARTEFACT),
            **{f"store.{key}": sorted(value) if isinstance(value, list) else value for key, value in store.items()},
        }

    one, other = settled(expected), settled(got)
    return [f"{key}: {one[key]} expected, got {other.get(key)}" for key in one if one[key] != other.get(key)]


def short(value: Any, limit: int = 400) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


@pytest.fixture
def compare() -> Any:
    return differences


@pytest.fixture
def compare_info() -> Any:
    return info_differences


@pytest.fixture
def decode_series() -> Any:
    return series_answer
