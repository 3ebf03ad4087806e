"""Series calls through a real channel: framing, pipelining, cancellation, deadlines, errors."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import grpc
import pytest

from storegate.errors import CancelledError, CorruptError, InvalidRequestError, LimitError
from storegate_proto.store.hintspb import hints_pb2
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

WAIT = 10.0


def frame(text: str) -> bytes:
    return rpc_pb2.SeriesResponse(warning=text).SerializeToString()


def texts(served, **request):
    stub = rpc_pb2_grpc.StoreStub(served.channel)
    return [answer.warning for answer in stub.Series(rpc_pb2.SeriesRequest(**request), timeout=WAIT)]


def failure(served, **request) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        texts(served, **request)
    return caught.value


def test_frames_reach_the_client_as_the_engine_made_them(served):
    served.gateway.lists = lambda request, call: iter([[frame("a"), frame("b")], [frame("c")]])
    call = served.channel.unary_stream("/thanos.Store/Series")
    assert list(call(b"", timeout=WAIT)) == [frame("a"), frame("b"), frame("c")]


def test_an_empty_answer_is_ok(served):
    assert texts(served) == []


def test_the_stream_is_closed_after_the_answer(served):
    texts(served)
    assert served.gateway.streams[0].closed.wait(WAIT)


def test_the_stream_is_closed_after_an_error(served):
    served.gateway.lists = lambda request, call: iter([ValueError("broken")])
    failure(served)
    assert served.gateway.streams[0].closed.wait(WAIT)


def test_the_next_list_is_made_while_the_first_one_is_sent(served):
    made = []

    def lists(request, call):
        for number in range(3):
            made.append(number)
            yield [frame(str(number))]

    served.gateway.lists = lists
    assert texts(served) == ["0", "1", "2"]
    assert made == [0, 1, 2]


def test_a_client_that_does_not_read_stops_the_production(served):
    produced = threading.Semaphore(0)
    big = frame("x" * (1 << 20))

    def lists(request, call):
        for _ in range(200):
            produced.release()
            yield [big]

    served.gateway.lists = lists
    call = rpc_pb2_grpc.StoreStub(served.channel).Series(rpc_pb2.SeriesRequest(), timeout=WAIT)
    next(call)
    count = 1
    while produced.acquire(timeout=0.5):
        count += 1
    assert count < 100
    call.cancel()


def test_cancelling_the_rpc_cancels_the_call(served):
    entered = threading.Event()
    ended = threading.Event()

    def lists(request, call):
        entered.set()
        with suppress(CancelledError):
            call.wait(threading.Event())
        ended.set()
        call.check()
        yield []

    served.gateway.lists = lists
    call = rpc_pb2_grpc.StoreStub(served.channel).Series(rpc_pb2.SeriesRequest())
    assert entered.wait(WAIT)
    call.cancel()
    assert ended.wait(WAIT)
    assert served.gateway.streams[0].closed.wait(WAIT)


def test_a_client_that_disconnects_cancels_the_call(served):
    entered = threading.Event()
    ended = threading.Event()

    def lists(request, call):
        yield [frame("first")]
        entered.set()
        with suppress(CancelledError):
            call.wait(threading.Event())
        ended.set()

    served.gateway.lists = lists
    channel = grpc.insecure_channel(served.address)
    next(rpc_pb2_grpc.StoreStub(channel).Series(rpc_pb2.SeriesRequest()))
    assert entered.wait(WAIT)
    channel.close()
    assert ended.wait(WAIT)


def test_the_deadline_of_the_rpc_is_the_deadline_of_the_call(served):
    before = time.monotonic()
    texts(served)
    (call,) = served.gateway.calls
    assert before + WAIT - 2 < call.deadline < time.monotonic() + WAIT + 2  # gRPC rounds it


def test_a_call_without_deadline_waits_for_ever(served):
    list(rpc_pb2_grpc.StoreStub(served.channel).Series(rpc_pb2.SeriesRequest()))
    assert served.gateway.calls[0].deadline is None


def test_an_expired_deadline_ends_the_call(served):
    def lists(request, call):
        call.wait(threading.Event())
        yield []

    served.gateway.lists = lists
    stub = rpc_pb2_grpc.StoreStub(served.channel)
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.Series(rpc_pb2.SeriesRequest(), timeout=0.2))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert served.gateway.streams[0].closed.wait(WAIT)


def test_calls_that_wait_at_the_gate_do_not_starve_the_running_one(served):
    """The gate of this fake lets one call pass; two hundred wait at it."""
    gate = threading.Semaphore(1)
    waiting = threading.Semaphore(0)

    def lists(request, call):
        waiting.release()
        with gate:
            for number in range(3):
                yield [frame(str(number))]

    served.gateway.lists = lists
    stub = rpc_pb2_grpc.StoreStub(served.channel)
    gate.acquire()
    calls = [stub.Series(rpc_pb2.SeriesRequest(), timeout=WAIT * 3) for _ in range(200)]
    for _ in calls:
        assert waiting.acquire(timeout=WAIT)
    stub.LabelNames(rpc_pb2.LabelNamesRequest(), timeout=WAIT)
    gate.release()
    for call in calls:
        assert [answer.warning for answer in call] == ["0", "1", "2"]


def test_tenant_and_request_id_come_from_metadata(served):
    stub = rpc_pb2_grpc.StoreStub(served.channel)
    list(stub.Series(rpc_pb2.SeriesRequest(), metadata=(("thanos-tenant", "acme"), ("request-id", "r1"))))
    (call,) = served.gateway.calls
    assert (call.tenant, call.request_id) == ("acme", "r1")


def test_the_first_of_two_tenants_wins_and_two_request_ids_are_none(served):
    keys = (("thanos-tenant", "one"), ("thanos-tenant", "two"), ("request-id", "1"), ("request-id", "2"))
    list(rpc_pb2_grpc.StoreStub(served.channel).Series(rpc_pb2.SeriesRequest(), metadata=keys))
    (call,) = served.gateway.calls
    assert (call.tenant, call.request_id) == ("one", "")


def test_without_metadata_the_tenant_is_the_default_one(served):
    texts(served)
    assert served.gateway.calls[0].tenant == "default-tenant"


def test_an_invalid_request_is_invalid_argument(served):
    served.gateway.lists = lambda request, call: iter([InvalidRequestError("matcher 1: missing )")])
    error = failure(served)
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "matcher 1: missing )")


def test_a_limit_is_resource_exhausted_with_the_mark_that_queriers_look_for(served):
    limit = LimitError("exceeded series limit: limit 3 violated (got 4)", limit="series", allowed=3, reached=4)
    limit.block, limit.stage = "01B1", "postings"
    served.gateway.lists = lambda request, call: iter([limit])
    error = failure(served)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == (
        "fetch postings for block 01B1: rpc error: code = ResourceExhausted desc = "
        "exceeded series limit: limit 3 violated (got 4)"
    )


@pytest.mark.parametrize(
    ("stage", "code"),
    [("postings", grpc.StatusCode.ABORTED), ("series", grpc.StatusCode.UNKNOWN), ("chunks", grpc.StatusCode.UNKNOWN)],
)
def test_a_block_that_fails_fails_the_call_by_its_stage(served, stage, code):
    broken = CorruptError("bad checksum", object="01B1/index", offset=7)
    broken.block, broken.stage = "01B1", stage
    served.gateway.lists = lambda request, call: iter([[frame("a")], broken])
    error = failure(served)
    assert error.code() is code
    assert "01B1" in error.details()
    assert "bad checksum (at offset 7)" in error.details()


def test_an_unexpected_error_is_internal_and_counted(served):
    served.gateway.lists = lambda request, call: iter([[frame("a")], KeyError("secret")])
    error = failure(served)
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "KeyError" in error.details()
    assert "secret" not in error.details()
    assert served.sample("grpc_req_panics_recovered_total") == 1


def test_bytes_that_are_no_request_are_invalid_argument(served):
    with pytest.raises(grpc.RpcError) as caught:
        list(served.channel.unary_stream("/thanos.Store/Series")(b"\xff\xff", timeout=WAIT))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_message_larger_than_4_mib_is_accepted(served):
    matchers = [{"name": "n", "value": "x" * (5 << 20)}]
    assert texts(served, matchers=matchers) == []


def test_no_hints_frame_by_default(served):
    served.gateway.lists = lambda request, call: iter([[frame("a")]])
    assert texts(served) == ["a"]


def hints_of(served, **hints):
    request = rpc_pb2.SeriesRequest()
    request.hints.Pack(hints_pb2.SeriesRequestHints(**hints))
    answers = list(rpc_pb2_grpc.StoreStub(served.channel).Series(request, timeout=WAIT))
    found = hints_pb2.SeriesResponseHints()
    assert answers[-1].hints.Unpack(found)
    return found


def test_series_hints_end_the_answer_when_switched_on(serve):
    found = hints_of(serve(series_hints=True))
    assert [block.id for block in found.queried_blocks] == ["01B1", "01B2"]
    assert not found.HasField("query_stats")


def test_statistics_come_when_asked_for(serve):
    served = serve(series_hints=True)

    def lists(request, call):
        yield []
        served.gateway.streams[0].stats.add(series_touched=5, series_touched_size_sum=70)
        served.gateway.streams[0].stats.merge_seconds = 1.5

    served.gateway.lists = lists
    stats = hints_of(served, enable_query_stats=True).query_stats
    assert (stats.series_touched, stats.data_downloaded_size_sum) == (5, 70)
    assert stats.merge_duration.ToMilliseconds() == 1500
    assert stats.HasField("get_all_duration")


def test_finished_calls_are_counted(served):
    served.gateway.lists = lambda request, call: iter([[frame("a"), frame("b")]])
    texts(served)
    assert served.gateway.streams[0].closed.wait(WAIT)
    labels = {"grpc_type": "server_stream", "grpc_service": "thanos.Store", "grpc_method": "Series"}
    assert served.sample("grpc_server_started_total", **labels) == 1
    assert served.sample("grpc_server_msg_received_total", **labels) == 1
    assert served.sample("grpc_server_msg_sent_total", **labels) == 2
    assert served.sample("thanos_store_server_series_requested_count") == 1
    assert served.sample("thanos_store_server_pending_series_requests") == 0


def test_an_answer_is_compressed_only_when_configured(serve):
    served = serve(response_compression="gzip")
    served.gateway.lists = lambda request, call: iter([[frame("x" * 5000)]])
    assert texts(served) == ["x" * 5000]


def test_a_gzip_request_is_understood(served):
    channel = grpc.insecure_channel(served.address, compression=grpc.Compression.Gzip)
    stub = rpc_pb2_grpc.StoreStub(channel)
    list(stub.Series(rpc_pb2.SeriesRequest(matchers=[{"name": "a", "value": "b" * 5000}]), timeout=WAIT))
    assert served.gateway.requests[0].matchers[0].value == "b" * 5000
    channel.close()
