"""Signals sent to the real command: drain and stop, stop at once, reload (operations 2)."""

from __future__ import annotations

import signal
import time

import grpc
import numpy as np
import pytest

from storegate.testing import write_block_arrays
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

BASE = 1_700_000_000_000  # ms
SERIES = 5_000
WAIT = 30.0
STALLED = [("grpc.http2.lookahead_bytes", 1 << 16), ("grpc.http2.bdp_probe", 0)]
"""A client whose window stays small: an answer of several MB cannot rest in buffers."""


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """One block whose answer is some 5 MB: noise does not compress."""
    folder = tmp_path_factory.mktemp("bucket")
    values = np.random.default_rng(1).normal(size=(SERIES, 120))
    labels = [{"__name__": "noise", "n": f"{number:06}"} for number in range(SERIES)]
    write_block_arrays(folder, labels, BASE + 15_000 * np.arange(120), values, external_labels={"region": "eu"}, seed=1)
    return folder


def ask(channel):
    matchers = [{"name": "__name__", "value": "noise"}]
    request = rpc_pb2.SeriesRequest(min_time=BASE, max_time=BASE + 10**8, matchers=matchers, response_batch_size=64)
    return rpc_pb2_grpc.StoreStub(channel).Series(request, timeout=WAIT)


def logged(store, text):
    """Wait until the log holds the text; all of the log."""
    until = time.monotonic() + WAIT
    while text not in (log := store.logged()):
        assert store.process.poll() is None, log
        assert time.monotonic() < until, log
        time.sleep(0.02)
    return log


def test_probes_say_that_it_drains_while_a_call_runs(start_store, bucket):
    with start_store(bucket) as store, grpc.insecure_channel(store.grpc_address, options=STALLED) as channel:
        call = ask(channel)
        next(call)
        store.process.terminate()
        logged(store, "not-ready")
        assert store.get("/-/ready")[0] == 503
        assert store.get("/-/healthy")[0] == 200
        list(call)
        assert store.process.wait(WAIT) == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(start_store, bucket, second):
    with start_store(bucket) as store, grpc.insecure_channel(store.grpc_address, options=STALLED) as channel:
        call = ask(channel)
        next(call)
        store.process.terminate()
        logged(store, "not-ready")
        store.process.send_signal(second)
        assert store.process.wait(5) == 128 + second


def test_sighup_takes_over_limits_and_the_log_level_and_names_the_rest(start_store, bucket, tmp_path):
    config = tmp_path / "storegate.yml"
    config.write_text("log: {level: warn}\n")
    with start_store(bucket, [f"--config={config}"]) as store, grpc.insecure_channel(store.grpc_address) as channel:
        assert len(list(ask(channel))) > 1
        config.write_text(
            "log: {level: debug}\nlimits: {series: 10}\nindex_cache: {type: REDIS, config: {password: s3cret}}\n"
        )
        store.process.send_signal(signal.SIGHUP)
        log = logged(store, "need a restart")
        assert 'changed="limits.series: 0 -> 10; log.level: warn -> debug"' in log
        assert "index_cache.config.password" in log
        assert "s3cret" not in log
        with pytest.raises(grpc.RpcError) as caught:
            list(ask(channel))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert store.stop() == 0
        assert "level=info component=gateway" in store.logged().partition("reloaded")[2]


def test_sighup_with_a_wrong_configuration_changes_nothing(start_store, bucket, tmp_path):
    config = tmp_path / "storegate.yml"
    config.write_text("limits: {series: 0}\n")
    with start_store(bucket, [f"--config={config}"]) as store, grpc.insecure_channel(store.grpc_address) as channel:
        config.write_text("limits: {serie: 10}\n")
        store.process.send_signal(signal.SIGHUP)
        assert "limits.serie: unknown key, did you mean 'series'?" in logged(store, "was not reloaded")
        assert len(list(ask(channel))) > 1
        assert store.stop() == 0


def test_calls_are_logged_as_the_flag_says(start_store, bucket):
    rules = (
        "options: {level: DEBUG, decision: {log_end: true}}\ngrpc: {config: [{service: thanos.Store, method: Series}]}"
    )
    flags = [f"--request.logging-config={rules}", "--log.level=debug"]
    with start_store(bucket, flags) as store, grpc.insecure_channel(store.grpc_address) as channel:
        list(ask(channel))
        store.get("/api/v1/status/flags")
        grpc_line = next(line for line in logged(store, "grpc.code=OK").splitlines() if "grpc.code=OK" in line)
        http_line = next(
            line for line in logged(store, "http.status_code=200").splitlines() if "http.status_code" in line
        )
    assert 'level=debug component=grpc msg="finished call"' in grpc_line
    assert "grpc.service=thanos.Store grpc.method=Series grpc.method_type=server_stream" in grpc_line
    assert "thanos.method_name=status_flags" in http_line
