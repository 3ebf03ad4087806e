"""The server itself: addresses, options, metrics, stopping."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import grpc
import pytest
import structlog
from prometheus_client import CollectorRegistry

from storegate.errors import CancelledError, ConfigurationError
from storegate.types import PluginContext
from storegate_grpc.config import GrpcConfig
from storegate_grpc.frontend import GrpcFrontEnd, server_options
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

WAIT = 10.0


def build(**config) -> GrpcFrontEnd:
    context = PluginContext(name="grpc", log=structlog.get_logger(), registry=CollectorRegistry())
    return GrpcFrontEnd(GrpcConfig(**config), context)


def names(channel, **options):
    return rpc_pb2_grpc.StoreStub(channel).LabelNames(rpc_pb2.LabelNamesRequest(), timeout=WAIT, **options)


def test_the_address_has_the_real_port(served):
    host, _, port = served.address.rpartition(":")
    assert host == "127.0.0.1"
    assert int(port) > 0


def test_a_busy_port_is_an_error_that_names_address_and_setting(served, gateway):
    front_end = build(address=served.address)
    with pytest.raises(ConfigurationError) as caught:
        front_end.start(gateway)
    assert served.address in str(caught.value)
    assert "--grpc-address" in str(caught.value)
    assert "Address already in use" in str(caught.value)


@pytest.mark.parametrize("address", ["nonsense", "1.2.3.4", "1.2.3.4:http", "::1:80", "h:70000"])
def test_an_address_without_sense_is_refused_at_once(address):
    with pytest.raises(ConfigurationError, match="host:port"):
        build(address=address)


def test_clients_may_ping_every_ten_seconds():
    assert dict(server_options(GrpcConfig()))["grpc.http2.min_recv_ping_interval_without_data_ms"] == 10_000


def test_messages_have_no_size_limit():
    options = dict(server_options(GrpcConfig()))
    assert options["grpc.max_receive_message_length"] == 2**31 - 1
    assert options["grpc.max_send_message_length"] == -1


def test_ports_are_never_shared():
    assert dict(server_options(GrpcConfig()))["grpc.so_reuseport"] == 0


@pytest.mark.parametrize(("age", "option"), [("60m", 3_600_000), ("0s", None)])
def test_connections_age(age, option):
    options = dict(server_options(GrpcConfig(max_connection_age=age)))
    assert options.get("grpc.max_connection_age_ms") == option


def test_an_old_connection_is_replaced_without_a_failing_call(serve):
    served = serve(max_connection_age=0.3)
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        names(served.channel)


def test_every_code_of_a_method_is_there_from_the_start(served):
    labels = {"grpc_type": "unary", "grpc_service": "thanos.info.Info", "grpc_method": "Info"}
    for code in ("OK", "Canceled", "InvalidArgument", "DeadlineExceeded", "Unauthenticated"):
        assert served.sample("grpc_server_handled_total", **labels, grpc_code=code) == 0
    assert served.sample("grpc_req_panics_recovered_total") == 0


def test_a_handled_call_is_counted_with_its_code(served):
    names(served.channel)
    labels = {"grpc_type": "unary", "grpc_service": "thanos.Store", "grpc_method": "LabelNames"}
    assert served.sample("grpc_server_handled_total", **labels, grpc_code="OK") == 1
    assert served.sample("grpc_server_handling_seconds_count", **labels) == 1


def test_two_front_ends_share_one_registry(serve):
    first, second = serve(), serve()
    names(first.channel)
    names(second.channel)
    labels = {"grpc_type": "unary", "grpc_service": "thanos.Store", "grpc_method": "LabelNames"}
    assert first.sample("grpc_server_started_total", **labels) == 2


def test_stopping_lets_running_calls_end(served):
    entered, go_on = threading.Event(), threading.Event()

    def lists(request, call):
        entered.set()
        assert go_on.wait(WAIT)
        yield [rpc_pb2.SeriesResponse(warning="done").SerializeToString()]

    served.gateway.lists = lists
    call = rpc_pb2_grpc.StoreStub(served.channel).Series(rpc_pb2.SeriesRequest(), timeout=WAIT)
    assert entered.wait(WAIT)
    stopping = threading.Thread(target=served.front_end.stop, args=(WAIT,))
    stopping.start()
    go_on.set()
    assert [answer.warning for answer in call] == ["done"]
    stopping.join(WAIT)
    assert not stopping.is_alive()


def test_calls_that_outlast_the_grace_are_ended(served):
    entered, ended = threading.Event(), threading.Event()

    def lists(request, call):
        entered.set()
        with suppress(CancelledError):
            call.wait(threading.Event())
        ended.set()
        yield []

    served.gateway.lists = lists
    call = rpc_pb2_grpc.StoreStub(served.channel).Series(rpc_pb2.SeriesRequest(), timeout=WAIT)
    assert entered.wait(WAIT)
    served.front_end.stop(0.05)
    assert ended.is_set()
    with pytest.raises(grpc.RpcError):
        list(call)


def test_the_configured_grace_period_is_the_longest(serve):
    served = serve(grace_period="0s")
    entered = threading.Event()

    def lists(request, call):
        entered.set()
        with suppress(CancelledError):
            call.wait(threading.Event())
        yield []

    served.gateway.lists = lists
    call = rpc_pb2_grpc.StoreStub(served.channel).Series(rpc_pb2.SeriesRequest(), timeout=WAIT)
    assert entered.wait(WAIT)
    began = time.monotonic()
    served.front_end.stop(60.0)
    assert time.monotonic() - began < WAIT
    call.cancel()


def test_a_stopped_front_end_frees_its_port(served):
    served.front_end.stop(0.0)
    host, _, port = served.address.rpartition(":")
    with socket.create_server((host, int(port))):
        pass


def test_readiness_may_change_after_the_stop(served):
    served.front_end.stop(0.0)
    served.gateway.set_ready(False)


# --- TLS ---
