"""Long Series calls against the real command: draining, cancelling, waiting for a turn."""

from __future__ import annotations

import time

import grpc
import numpy as np
import pytest

from storegate.testing import write_block_arrays
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

BASE = 1_700_000_000_000  # ms
SERIES = 20_000
WAIT = 30.0
ALL = rpc_pb2.SeriesRequest(
    min_time=BASE, max_time=BASE + 10**8, matchers=[{"name": "__name__", "value": "noise"}], response_batch_size=64
)
STALLED = [("grpc.http2.lookahead_bytes", 1 << 16), ("grpc.http2.bdp_probe", 0)]
"""A client whose window stays small: an answer of many MB cannot rest in buffers."""


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """One block whose answer is some 20 MB: noise does not compress."""
    folder = tmp_path_factory.mktemp("bucket")
    values = np.random.default_rng(1).normal(size=(SERIES, 120))
    labels = [{"__name__": "noise", "n": f"{number:06}"} for number in range(SERIES)]
    write_block_arrays(folder, labels, BASE + 15_000 * np.arange(120), values, external_labels={"region": "eu"}, seed=1)
    return folder


def series_of(frames):
    return sum(len(frame.batch.series) for frame in frames)


def metric(store, name):
    for line in store.get("/metrics")[1].decode().splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    raise AssertionError(f"{name} is not there")


def eventually(condition):
    until = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_running_call_ends_whole_after_sigterm(start_store, bucket):
    with start_store(bucket) as store, grpc.insecure_channel(store.grpc_address, options=STALLED) as channel:
        call = rpc_pb2_grpc.StoreStub(channel).Series(ALL, timeout=WAIT)
        count = series_of([next(call)])
        store.process.terminate()
        eventually(lambda: "not-ready" in store.logged())
        assert store.process.poll() is None
        assert count + series_of(call) == SERIES
        assert store.process.wait(WAIT) == 0


def test_a_client_that_does_not_read_is_dropped_after_the_grace_period(start_store, bucket):
    with (
        start_store(bucket, ["--grpc-grace-period=1s"]) as store,
        grpc.insecure_channel(store.grpc_address, options=STALLED) as channel,
    ):
        call = rpc_pb2_grpc.StoreStub(channel).Series(ALL, timeout=WAIT * 2)
        next(call)
        began = time.monotonic()
        assert store.stop() == 0
        assert time.monotonic() - began < WAIT / 2
        with pytest.raises(grpc.RpcError):
            list(call)


@pytest.fixture(scope="module")
def one_at_a_time(start_store, bucket):
    with start_store(bucket, ["--store.grpc.series-max-concurrency=1"]) as store:
        yield store


def test_a_cancelled_call_makes_room_for_the_next(one_at_a_time):
    with grpc.insecure_channel(one_at_a_time.grpc_address, options=STALLED) as channel:
        stub = rpc_pb2_grpc.StoreStub(channel)
        first = stub.Series(ALL, timeout=WAIT)
        next(first)
        second = stub.Series(ALL, timeout=WAIT)
        eventually(lambda: metric(one_at_a_time, "thanos_bucket_store_series_gate_queries_total") >= 2)
        first.cancel()
        assert series_of(second) == SERIES
    eventually(lambda: metric(one_at_a_time, "thanos_bucket_store_series_gate_queries_in_flight") == 0)


def test_a_deadline_also_counts_the_wait_for_a_turn(one_at_a_time):
    with grpc.insecure_channel(one_at_a_time.grpc_address, options=STALLED) as channel:
        stub = rpc_pb2_grpc.StoreStub(channel)
        first = stub.Series(ALL, timeout=WAIT)
        next(first)
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.Series(ALL, timeout=0.5))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        first.cancel()
    eventually(lambda: metric(one_at_a_time, "thanos_bucket_store_series_gate_queries_in_flight") == 0)


def test_label_calls_pass_by_the_gate(one_at_a_time):
    with grpc.insecure_channel(one_at_a_time.grpc_address, options=STALLED) as channel:
        stub = rpc_pb2_grpc.StoreStub(channel)
        first = stub.Series(ALL, timeout=WAIT)
        next(first)
        request = rpc_pb2.LabelValuesRequest(label="region", start=BASE, end=BASE + 1)
        assert list(stub.LabelValues(request, timeout=WAIT).values) == ["eu"]
        first.cancel()


def test_one_frame_per_series_answers_the_same_series(one_at_a_time):
    single = rpc_pb2.SeriesRequest()
    single.CopyFrom(ALL)
    single.response_batch_size = 0
    with grpc.insecure_channel(one_at_a_time.grpc_address) as channel:
        stub = rpc_pb2_grpc.StoreStub(channel)
        frames = [frame.series for frame in stub.Series(single, timeout=WAIT)]
        batches = [series for frame in stub.Series(ALL, timeout=WAIT) for series in frame.batch.series]
    assert frames == batches
