"""Replays a corpus of recorded answers against `storegate store`. `corpus.recorded` reads it."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pytest
from corpus.comparison import differences, info_differences
from corpus.recorded import (
    CORPUS,
    Answer,
    info_answer,
    labels_answer,
    message,
    recorded_answers,
    recorded_requests,
    series_answer,
)

from storegate_proto.info.infopb import rpc_pb2 as info_pb2
from storegate_proto.info.infopb import rpc_pb2_grpc as info_pb2_grpc
from storegate_proto.store.storepb import rpc_pb2_grpc

CALL_SECONDS = 60


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per group and case, one per group for Info, in the order of the groups."""
    groups = recorded_requests()["groups"]
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
        return recorded_answers()[group or self.group][case]

    def ask(self, case: str) -> Answer:
        """The answer to a request of the corpus, in the corpus' own form."""
        entry = recorded_requests()["requests"][case]
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
            (group,) = (group for group in recorded_requests()["groups"] if group["group"] == name)
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


@pytest.fixture
def compare() -> Any:
    return differences


@pytest.fixture
def compare_info() -> Any:
    return info_differences


@pytest.fixture
def decode_series() -> Any:
    return series_answer
