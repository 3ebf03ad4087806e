"""Traces, sent to a collector by the exporters and by the real command (operations 15)."""

from __future__ import annotations

import json
import socket
import time

import grpc
import pytest
from certificates import Authority
from prometheus_client import CollectorRegistry
from servers.otlp import attributes, grpc_collector, http_collector

import storegate
from storegate.query.costs import QueryCosts, StageCost
from storegate.query.stats import QueryStats
from storegate.testing import write_block
from storegate_otel.config import OtlpConfig
from storegate_otel.observer import make_observer
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

BASE = 1_700_000_000_000  # ms
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STATS = QueryStats(costs=QueryCosts(seconds=0.5, stages={"plan": StageCost(time.time(), 0.5)}))


def observer(**config):
    context = storegate.PluginContext(name="OTLP", log=None, registry=CollectorRegistry())
    return make_observer(OtlpConfig.model_validate(config), context)


def test_the_command_traces_a_query_under_its_caller(start_store, tmp_path):
    write_block(tmp_path, [({"__name__": "up"}, [(BASE, 1.0)])], external_labels={"region": "eu"}, seed=1)
    request = rpc_pb2.SeriesRequest(
        min_time=BASE - 1, max_time=BASE + 1, matchers=[{"name": "__name__", "value": "up"}]
    )
    with http_collector() as collector:
        config = {"client_type": "http", "endpoint": collector.address, "insecure": True}
        config |= {"service_name": "gateway-eu", "headers": {"X-Key": "s3cret"}, "compression": "gzip"}
        flag = f"--tracing.config={json.dumps({'type': 'OTLP', 'config': config})}"
        with start_store(tmp_path, [flag, "--log.level=debug"]) as store:
            with grpc.insecure_channel(store.grpc_address) as channel:
                metadata = [("traceparent", f"00-{TRACE}-{PARENT}-01")]
                assert list(rpc_pb2_grpc.StoreStub(channel).Series(request, timeout=20, metadata=metadata))
            assert store.stop() == 0
            headers, resource, spans = collector.next_spans()
            assert "s3cret" not in store.logged()
    by_name = {span.name: span for span in spans}
    query = by_name["/thanos.Store/Series"]
    assert (query.trace_id.hex(), query.parent_span_id.hex()) == (TRACE, PARENT)
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert {span.parent_span_id for span in spans if span is not query} == {query.span_id}
    assert by_name.keys() >= {"plan", "postings", "series", "chunks", "block"}
    assert attributes(by_name["chunks"])["storegate.requests"] >= 1
    assert attributes(by_name["block"])["block.id"] in {path.name for path in tmp_path.iterdir()}
    assert resource["service.name"] == "gateway-eu"
    assert (headers["x-key"], headers["content-encoding"], collector.path) == ("s3cret", "gzip", "/v1/traces")


def test_spans_go_over_grpc():
    with grpc_collector() as collector:
        config = {"client_type": "grpc", "endpoint": collector.address, "insecure": True, "compression": "gzip"}
        traces = observer(**config, headers={"X-Key": "k"})
        traces.query_finished(STATS)
        traces.close()
        headers, _, spans = collector.next_spans()
    assert headers["x-key"] == "k"
    assert sorted(span.name for span in spans) == ["/thanos.Store/Series", "plan"]


@pytest.mark.parametrize(("client_type", "collector"), [("http", http_collector), ("grpc", grpc_collector)])
def test_spans_go_over_tls_to_a_collector_of_the_given_name(client_type, collector, tmp_path):
    authority = Authority(tmp_path)
    with collector(authority.issue("collector.example")) as running:
        tls = {"ca_file": str(authority.ca), "server_name": "collector.example"}
        traces = observer(client_type=client_type, endpoint=running.address, tls_config=tls)
        traces.query_finished(STATS)
        traces.close()
        assert len(running.next_spans()[2]) == 2


@pytest.mark.parametrize("tls", [{}, {"server_name": "another.example"}])
def test_a_collector_that_cannot_prove_its_name_gets_nothing(tls, tmp_path):
    authority = Authority(tmp_path)
    with http_collector(authority.issue("collector.example")) as running:
        config = {"ca_file": str(authority.ca), **tls}
        traces = observer(client_type="http", endpoint=running.address, tls_config=config, timeout="500ms")
        traces.query_finished(STATS)
        traces.close()
        assert running.received.empty()


def test_verification_can_be_switched_off_over_http(tmp_path):
    with http_collector(Authority(tmp_path).issue("collector.example")) as running:
        config = {"insecure_skip_verify": True}
        traces = observer(client_type="http", endpoint=running.address, tls_config=config)
        traces.query_finished(STATS)
        traces.close()
        assert len(running.next_spans()[2]) == 2


@pytest.mark.parametrize("client_type", ["http", "grpc"])
def test_a_collector_that_hangs_holds_up_neither_queries_nor_the_stop(client_type, monkeypatch):
    monkeypatch.setattr("storegate_otel.observer.CLOSE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and answers nothing
        traces = observer(
            client_type=client_type, endpoint=f"127.0.0.1:{silent.getsockname()[1]}", insecure=True, timeout="1s"
        )
        began = time.monotonic()
        for _ in range(3000):  # more than the queue holds
            traces.query_finished(STATS)
        finished = time.monotonic()
        traces.close()
        assert time.monotonic() - finished < 2
        assert finished - began < 10
