"""Log lines about gRPC calls (operations 14)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
import structlog

from storegate.config.request_logging import RequestLogging
from storegate_grpc.request_log import sampled_trace
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
BOTH = {"log_start": True, "log_end": True}


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as found:
        yield found


@pytest.fixture
def call(gateway: Any, serve: Callable[..., Any], lines: list[Any]) -> Callable[..., list[dict[str, Any]]]:
    """One LabelNames call under the given rules; the lines about it, once the call is over for the server, too."""

    def run(metadata: tuple[tuple[str, str], ...] = (), **rules: Any) -> list[dict[str, Any]]:
        gateway.settings.request_logging = RequestLogging.model_validate(rules)
        served = serve()
        try:
            stub = rpc_pb2_grpc.StoreStub(served.channel)
            stub.LabelNames(rpc_pb2.LabelNamesRequest(), timeout=10, metadata=metadata)
        except grpc.RpcError:
            pass
        served.close()
        return [line for line in lines if line.get("protocol") == "grpc"]

    return run


def test_a_call_is_logged_at_its_start_and_end(call: Any) -> None:
    found = call(options={"level": "DEBUG", "decision": BOTH})
    assert [(line["event"], line["log_level"]) for line in found] == [
        ("started call", "debug"),
        ("finished call", "debug"),
    ]
    end = found[1]
    names = ("grpc.component", "grpc.service", "grpc.method", "grpc.method_type", "grpc.code")
    assert [end[name] for name in names] == ["server", "thanos.Store", "LabelNames", "unary", "OK"]
    assert end["grpc.time_ms"] > 0
    assert end["peer.address"].startswith(("127.0.0.1:", "[::1]:"))
    assert end["grpc.start_time"].endswith("Z")


def test_it_names_the_request_and_a_sampled_trace(call: Any) -> None:
    metadata = (("request-id", "r-7"), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"))
    (end,) = call(metadata, options={"level": "DEBUG", "decision": {"log_end": True}})
    assert (end["requestID"], end["traceID"]) == ("r-7", TRACE)


def test_an_unexpected_failure_is_an_error_with_its_cause(gateway: Any, call: Any) -> None:
    gateway.labels = RuntimeError("the disk is gone")
    (end,) = call(options={"level": "ERROR", "decision": BOTH})
    assert (end["log_level"], end["grpc.code"], end["grpc.error"]) == ("error", "Internal", "the disk is gone")


def test_calls_outside_the_allow_list_are_not_logged(call: Any) -> None:
    rules = {
        "options": {"level": "DEBUG", "decision": BOTH},
        "config": [{"service": "thanos.Store", "method": "Series"}],
    }
    assert call(grpc=rules) == []


def test_nothing_is_logged_by_default(call: Any) -> None:
    assert call() == []


@pytest.mark.parametrize("text", ["", "nonsense", f"00-{TRACE}-00f067aa0ba902b7-00", "00-a-b-zz"])
def test_a_trace_that_is_not_sampled_is_not_named(text: str) -> None:
    assert sampled_trace(text) == ""
