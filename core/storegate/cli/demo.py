"""`storegate demo`: a small bucket, a gateway that serves it, and one query over real gRPC."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import click

from storegate import logs
from storegate.cli.signals import StopSignals
from storegate.config.settings import Settings
from storegate.errors import StoregateError, UnavailableError

HOST = "127.0.0.1"
GRPC_PORT, HTTP_PORT = 10901, 10902  # those of thanos store
HOURS = 6
QUERY = (
    ("__name__", "RE", "http_request_duration_seconds|http_requests_total"),
    ("service", "EQ", "checkout"),
    ("code", "RE", "500|"),
)
SIGNS = {"EQ": "=", "NEQ": "!=", "RE": "=~", "NRE": "!~"}
HEADER = ("metric", "cluster", "instance", "chunks", "samples", "last value", "at (UTC)")


@click.command("demo")
@click.option("--once", is_flag=True, help="End after the query instead of waiting for Ctrl-C.")
def demo(once: bool) -> None:
    """Write a small bucket into a temporary folder, serve it on this machine, and try a query.

    The bucket holds two days of metrics of three services in two clusters. It is removed at the end.
    """
    logs.configure("warn")
    with StopSignals() as signals, tempfile.TemporaryDirectory(prefix="storegate-demo-") as folder:
        _demo(Path(folder), once, signals.stopped)


def _demo(folder: Path, once: bool, stopped: Event) -> None:
    from storegate.gateway import Gateway
    from storegate.testing.demo_bucket import write_demo_bucket

    bucket = folder / "bucket"
    bucket.mkdir()
    started = time.perf_counter()
    written = write_demo_bucket(bucket, int(time.time() * 1000))
    click.echo(f"Bucket  {bucket}")
    click.echo(
        f"        {written.blocks} blocks, {written.series} series, {written.samples} samples until"
        f" {_utc(written.end)}, written in {time.perf_counter() - started:.1f} s"
    )
    gateway = Gateway(demo_settings(bucket, folder / "data", _address(GRPC_PORT), _address(HTTP_PORT)))
    gateway.start(stopped)
    try:
        if gateway.ready:
            _show(gateway.addresses["grpc"], gateway.addresses["http"], written.end)
            if not once:
                click.echo("\nServing until Ctrl-C.")
                stopped.wait()
    finally:
        gateway.stop()


def _show(grpc_address: str, http_address: str, end: int) -> None:
    click.echo(f"gRPC    {grpc_address}\nHTTP    http://{http_address}\n")
    _show_query(grpc_address, end)
    click.echo(_suggestions(grpc_address, http_address))


def demo_settings(bucket: Path, data_dir: Path, grpc_address: str, http_address: str) -> Settings:
    """The defaults, over a folder and on loopback."""
    return Settings.model_validate(
        {
            "object_store": {"type": "FILESYSTEM", "config": {"directory": str(bucket)}},
            "data_dir": data_dir,
            "frontends": [
                {"type": "grpc", "config": {"address": grpc_address, "grace_period": 2}},
                {"type": "http", "config": {"address": http_address, "grace_period": 2}},
                {"type": "ui"},
            ],
            "log": {"level": "warn"},
        }
    )


def _address(port: int) -> str:
    """The address with this port on loopback; with port 0, which means any, where it is taken."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return f"{HOST}:0"
    return f"{HOST}:{port}"


# --- the query --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One series of the answer."""

    labels: dict[str, str]
    chunks: int
    samples: Sequence[tuple[int, Any]]

    def cells(self) -> tuple[str, ...]:
        t, value = self.samples[-1]
        labels = [self.labels.get(name, "") for name in ("__name__", "cluster", "instance")]
        return (*labels, str(self.chunks), str(len(self.samples)), _shown(value), _utc(t, "%H:%M:%S"))


def _show_query(address: str, end: int) -> None:
    start = end - HOURS * 3600 * 1000
    began = time.perf_counter()
    rows = ask(address, start, end - 1)
    seconds = time.perf_counter() - began
    selector = ", ".join(f'{name}{SIGNS[kind]}"{value}"' for name, kind, value in QUERY)
    click.echo(f"Query   {{{selector}}}")
    click.echo(
        f"        {_utc(start)} to {_utc(end)}, replicas folded: {len(rows)} series in {seconds * 1000:.0f} ms\n"
    )
    click.echo(table(HEADER, [row.cells() for row in rows]))


def ask(address: str, start: int, end: int) -> list[Row]:
    """The answer to the demo's query in the closed range (ms), decoded. Raises UnavailableError when the call fails."""
    import grpc

    from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc, types_pb2

    request = rpc_pb2.SeriesRequest(
        min_time=start,
        max_time=end,
        matchers=[types_pb2.LabelMatcher(type=kind, name=name, value=value) for name, kind, value in QUERY],
        without_replica_labels=["replica"],
    )
    try:
        with grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel:
            stub: Any = rpc_pb2_grpc.StoreStub(channel)  # type: ignore[no-untyped-call]
            answers = list(stub.Series(request, timeout=60, wait_for_ready=True))
    except grpc.RpcError as error:
        raise UnavailableError(f"the demo's query failed: {error}") from error
    return [_row(answer.series, start, end) for answer in answers if answer.HasField("series")]


def _row(series: Any, start: int, end: int) -> Row:
    from storegate.testing.chunks import decode_chunk

    samples = [
        sample
        for chunk in series.chunks
        for sample in decode_chunk(chunk.raw.type + 1, chunk.raw.data)  # the wire counts encodings from 0
        if start <= sample[0] <= end
    ]
    samples.sort(key=lambda sample: sample[0])
    if not samples:
        raise StoregateError(f"the answer holds no samples of {series.labels[0].value!r}; please report this")
    return Row({label.name: label.value for label in series.labels}, len(series.chunks), samples)


# --- output -----------------------------------------------------------------------------------------------------------


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as they need to be, numbers to the right."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    right = [all(line[column][:1].isdigit() for line in lines[1:]) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value.count:g} observations"


def _utc(time_ms: int, form: str = "%Y-%m-%d %H:%M UTC") -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime(form)


def python_example(grpc_address: str) -> str:
    """A shell command that asks the gateway for the values of a label."""
    code = (
        "import grpc; from storegate_proto.store.storepb import rpc_pb2 as m, rpc_pb2_grpc as s; "
        f'print(s.StoreStub(grpc.insecure_channel("{grpc_address}"))'
        '.LabelValues(m.LabelValuesRequest(label="service", end=2**62)).values)'
    )
    return f"python -c '{code}'"


def _suggestions(grpc_address: str, http_address: str) -> str:
    return f"""
Three things to try:
  1. Look at its blocks in a browser: http://{http_address}/loaded ; is it ready, and what does it measure?
     curl http://{http_address}/-/ready
     curl -s http://{http_address}/metrics | grep thanos_bucket_store
  2. Ask it from Python:
     {python_example(grpc_address)}
  3. Put a Thanos querier in front (then open http://127.0.0.1:10904, or add that URL to Grafana as Prometheus):
     thanos query --http-address=127.0.0.1:10904 --grpc-address=127.0.0.1:10905 \\
       --endpoint={grpc_address} --query.replica-label=replica"""
