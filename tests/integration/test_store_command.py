"""`storegate store` as an operator runs it: start, probes, metrics, stop, and how it refuses."""

from __future__ import annotations

import subprocess

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from storegate_proto.info.infopb import rpc_pb2 as info_pb2
from storegate_proto.info.infopb import rpc_pb2_grpc as info_pb2_grpc


@pytest.fixture(scope="module")
def store(start_store, tmp_path_factory):
    """A gateway over an empty bucket; an empty bucket becomes ready."""
    with start_store(tmp_path_factory.mktemp("bucket")) as running:
        yield running


def run(storegate_command, *arguments):
    return subprocess.run([*storegate_command, "store", *arguments], capture_output=True, encoding="utf-8", timeout=60)


def run_over(storegate_command, bucket, data_dir, http_address="127.0.0.1:0", grpc_address="127.0.0.1:0"):
    return run(
        storegate_command,
        f"--objstore.config={{type: FILESYSTEM, config: {{directory: {bucket}}}}}",
        f"--data-dir={data_dir / 'data'}",
        f"--http-address={http_address}",
        f"--grpc-address={grpc_address}",
    )


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_probes_are_ok(store, path):
    assert store.get(path) == (200, b"OK")


def test_metrics_hold_what_dashboards_ask_for(store):
    status, body = store.get("/metrics")
    names = {line.split()[2] for line in body.decode().splitlines() if line.startswith("# TYPE")}
    assert status == 200
    assert names >= {
        "thanos_bucket_store_blocks_loaded",
        "thanos_bucket_store_series_gate_queries_duration_seconds",
        "thanos_blocks_meta_synced",
        "thanos_objstore_bucket_operations_total",
        "thanos_store_index_cache_requests_total",
        "thanos_store_server_series_requested",
        "grpc_server_handled_total",
        "thanos_build_info",
        "process_cpu_seconds_total",
    }


def test_status_metrics_follow_the_probes(store):
    lines = store.get("/metrics")[1].decode().splitlines()
    for check in ("ready", "healthy"):
        assert f'thanos_status{{check="{check}",component="store"}} 1.0' in lines


def test_grpc_health_is_serving(store):
    with grpc.insecure_channel(store.grpc_address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_an_empty_store_matches_no_time(store):
    with grpc.insecure_channel(store.grpc_address) as channel:
        answer = info_pb2_grpc.InfoStub(channel).Info(info_pb2.InfoRequest(), timeout=10)
    assert (answer.store.min_time, answer.store.max_time) == (2**63 - 1, -(2**63))


def test_sigterm_ends_it_with_0(start_store, tmp_path):
    with start_store(tmp_path) as running:
        assert running.stop() == 0
        log = running.logged()
    assert "Traceback" not in log
    assert "level=error" not in log


def test_a_client_that_stays_connected_does_not_hold_up_the_stop(start_store, tmp_path):
    with start_store(tmp_path) as running, grpc.insecure_channel(running.grpc_address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert watch.status == health_pb2.HealthCheckResponse.SERVING
        assert running.stop() == 0


def test_an_unknown_flag_is_named(storegate_command):
    result = run(storegate_command, "--no-such-flag=1")
    assert result.returncode == 1
    assert "--no-such-flag" in result.stderr


def test_a_bad_value_is_wrong_usage(storegate_command):
    result = run(storegate_command, "--sync-block-duration=soon")
    assert result.returncode == 2
    assert "sync-block-duration" in result.stderr


def test_a_missing_bucket_folder_is_told_in_one_line(storegate_command, tmp_path):
    missing = tmp_path / "nothing-here"
    result = run_over(storegate_command, missing, tmp_path)
    errors = [line for line in result.stderr.splitlines() if "level=error" in line]
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert len(errors) == 1
    assert str(missing) in errors[0]


def test_an_unknown_object_store_type_is_told_in_one_line(storegate_command, tmp_path):
    data_dir = f"--data-dir={tmp_path / 'data'}"
    result = run(storegate_command, "--objstore.config={type: FILESYSTEMS, config: {directory: /tmp}}", data_dir)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "FILESYSTEMS" in result.stderr


def test_a_busy_http_port_is_told_with_its_flag(storegate_command, store, tmp_path):
    result = run_over(storegate_command, tmp_path, tmp_path, http_address=store.http_address)
    assert result.returncode == 1
    assert store.http_address in result.stderr
    assert "--http-address" in result.stderr


def test_a_busy_grpc_port_is_told_with_its_flag(storegate_command, store, tmp_path):
    result = run_over(storegate_command, tmp_path, tmp_path, grpc_address=store.grpc_address)
    assert result.returncode == 1
    assert store.grpc_address in result.stderr
    assert "--grpc-address" in result.stderr
