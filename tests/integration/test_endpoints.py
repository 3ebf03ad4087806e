"""The HTTP and gRPC endpoints of `thanos store`, asked of the real command."""

from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from thanos import endpoints

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/thanos-compatibility.md"
HTTP = [fact for fact in endpoints() if fact["methods"] != ["gRPC"]]
GRPC = [fact for fact in endpoints() if fact["methods"] == ["gRPC"]]
FRONTENDS = "frontends: [{type: grpc}, {type: http}, {type: ui}]\n"


def path_of(fact: dict[str, Any]) -> str:
    return str(fact["path"])


def verdict(path: str) -> str:
    """What the documentation says of it."""
    row = re.search(rf"^\| `{re.escape(path)}` \|[^|]*\| ([^|]*) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None, path
    return row[1]


@pytest.fixture(scope="module")
def store(start_store: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    config = tmp_path_factory.mktemp("config") / "storegate.yml"
    config.write_text(FRONTENDS)
    with start_store(tmp_path_factory.mktemp("bucket"), [f"--config={config}"]) as running:
        yield running


def status(address: str, method: str, path: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path)
        return connection.getresponse().status


@pytest.mark.parametrize("fact", HTTP, ids=path_of)
def test_a_path_is_there_unless_the_documentation_says_otherwise(store: Any, fact: dict[str, Any]) -> None:
    for method in fact["methods"]:
        found = status(store.http_address, method, fact.get("ask", fact["path"]))
        assert (found in (404, 405)) == (verdict(fact["path"]) == "not applicable"), found
        assert found < 500


@pytest.mark.parametrize("fact", GRPC, ids=path_of)
def test_a_method_is_there(store: Any, fact: dict[str, Any]) -> None:
    with grpc.insecure_channel(store.grpc_address) as channel:
        call = channel.stream_stream(f"/{fact['path']}")(iter([b""]), timeout=30)
        try:
            next(call, None)
            code = grpc.StatusCode.OK
        except grpc.RpcError as error:
            code = error.code()
        call.cancel()
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT)


def test_another_path_is_not_found(store: Any) -> None:
    assert status(store.http_address, "GET", "/nothing-here") == 404


def test_another_method_is_not_allowed(store: Any) -> None:
    assert status(store.http_address, "GET", "/api/v1/blocks/mark") == 405
