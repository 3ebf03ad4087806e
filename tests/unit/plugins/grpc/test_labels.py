"""LabelNames and LabelValues through a real channel."""

from __future__ import annotations

import threading
from contextlib import suppress

import grpc
import pytest
from google.protobuf.any_pb2 import Any

from storegate.errors import CancelledError, CorruptError, InvalidRequestError, LimitError
from storegate.query.request import LabelMatcher, LabelNamesRequest, LabelsAnswer, LabelValuesRequest
from storegate_proto.store.hintspb import hints_pb2
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

WAIT = 10.0


@pytest.fixture
def stub(served):
    return rpc_pb2_grpc.StoreStub(served.channel)


def code_of(call) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code()


def test_names_are_answered_with_the_queried_blocks(served, stub):
    served.gateway.labels = LabelsAnswer(values=["a", "b"], blocks=("01B1",))
    answer = stub.LabelNames(rpc_pb2.LabelNamesRequest(), timeout=WAIT)
    hints = hints_pb2.LabelNamesResponseHints()
    assert list(answer.names) == ["a", "b"]
    assert answer.hints.type_url == "type.googleapis.com/hintspb.LabelNamesResponseHints"
    assert answer.hints.Unpack(hints)
    assert [block.id for block in hints.queried_blocks] == ["01B1"]


def test_values_are_answered_with_the_queried_blocks(served, stub):
    served.gateway.labels = LabelsAnswer(values=["x"], blocks=())
    answer = stub.LabelValues(rpc_pb2.LabelValuesRequest(label="a"), timeout=WAIT)
    assert list(answer.values) == ["x"]
    assert answer.hints.type_url == "type.googleapis.com/hintspb.LabelValuesResponseHints"


def test_an_answer_that_needed_no_block_carries_no_hints(served, stub):
    served.gateway.labels = LabelsAnswer(values=[], blocks=None)
    assert not stub.LabelValues(rpc_pb2.LabelValuesRequest(label="a"), timeout=WAIT).HasField("hints")


def test_a_names_request_arrives_as_a_record(served, stub):
    request = rpc_pb2.LabelNamesRequest(
        start=1, end=2, matchers=[{"type": 2, "name": "n", "value": "v"}], without_replica_labels=["r"], limit=3
    )
    stub.LabelNames(request, timeout=WAIT)
    assert served.gateway.requests == [
        LabelNamesRequest(start=1, end=2, matchers=(LabelMatcher(2, "n", "v"),), without_replica_labels=("r",), limit=3)
    ]


def test_a_values_request_arrives_as_a_record_with_its_block_matchers(served, stub):
    request = rpc_pb2.LabelValuesRequest(label="l", start=1, end=2)
    request.hints.Pack(hints_pb2.LabelValuesRequestHints(block_matchers=[{"name": "__block_id", "value": "x"}]))
    stub.LabelValues(request, timeout=WAIT)
    assert served.gateway.requests == [
        LabelValuesRequest(label="l", start=1, end=2, block_matchers=(LabelMatcher(0, "__block_id", "x"),))
    ]


@pytest.mark.parametrize("prefix", ["", "type.googleapis.com", "a/b"])
def test_the_type_url_may_have_any_prefix(served, stub, prefix):
    stub.LabelNames(rpc_pb2.LabelNamesRequest(hints=Any(type_url=f"{prefix}/hintspb.LabelNamesRequestHints")))
    assert len(served.gateway.requests) == 1


@pytest.mark.parametrize(
    "hints",
    [
        Any(type_url="hintspb.LabelNamesRequestHints"),
        Any(type_url="/hintspb.SeriesRequestHints"),
        Any(type_url=""),
        Any(type_url="/hintspb.LabelNamesRequestHints", value=b"\xff"),
    ],
    ids=["no slash", "wrong type", "no type", "bad bytes"],
)
def test_wrong_hints_are_invalid_argument(stub, hints):
    call = lambda: stub.LabelNames(rpc_pb2.LabelNamesRequest(hints=hints), timeout=WAIT)  # noqa: E731
    assert code_of(call) is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequestError("bad"), grpc.StatusCode.INVALID_ARGUMENT),
        (LimitError("much", limit="bytes", allowed=1, reached=2), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (CorruptError("torn", object="x"), grpc.StatusCode.INTERNAL),
        (ZeroDivisionError(), grpc.StatusCode.INTERNAL),
    ],
    ids=lambda value: getattr(value, "name", type(value).__name__),
)
def test_errors_have_their_codes(served, stub, error, code):
    served.gateway.labels = error
    assert code_of(lambda: stub.LabelNames(rpc_pb2.LabelNamesRequest(), timeout=WAIT)) is code
    assert code_of(lambda: stub.LabelValues(rpc_pb2.LabelValuesRequest(label="a"), timeout=WAIT)) is code


def test_values_that_are_not_utf8_are_replaced(served, stub):
    served.gateway.labels = LabelsAnswer(values=["ok", b"\xff\x41".decode("utf-8", "surrogateescape")], blocks=())
    answer = stub.LabelValues(rpc_pb2.LabelValuesRequest(label="a"), timeout=WAIT)
    assert list(answer.values) == ["ok", "\ufffdA"]


def test_cancelling_the_rpc_cancels_the_call(served, stub):
    released = threading.Event()

    def slow(request, call):
        served.gateway._keep(request, call)
        with suppress(CancelledError):
            call.wait(threading.Event())
        released.set()
        return LabelsAnswer(values=[], blocks=())

    served.gateway.label_names = slow
    future = stub.LabelNames.future(rpc_pb2.LabelNamesRequest())
    assert served.gateway.arrived.wait(WAIT)
    future.cancel()
    assert released.wait(WAIT)
    assert served.gateway.calls[0].cancelled
