"""Processes of the benchmark: the real gateway, the floor, and what the gateway says about itself."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass
class Process:
    """A server under test."""

    pid: int
    address: str  # gRPC
    http: str = ""

    def reset_peak(self) -> None:
        """Begin to measure the peak RSS anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def rss(self, name: str = "VmHWM") -> int:
        """Bytes: `VmHWM` is the peak, `VmRSS` what it is now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"{name}:\s+(\d+)", status).group(1)) * 1024  # type: ignore[union-attr]

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def bucket_use(self) -> tuple[int, int]:
        """(requests, bytes) of the object store so far."""
        with urllib.request.urlopen(f"http://{self.http}/metrics") as answer:
            text = answer.read().decode()

        def total(name: str) -> int:
            return int(sum(float(value) for value in re.findall(rf"^{name}{{[^}}]*}} (\S+)$", text, re.MULTILINE)))

        return (
            total("thanos_objstore_bucket_operations_total"),
            total("thanos_objstore_bucket_operation_fetched_bytes_total"),
        )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextmanager
def gateway(
    bucket: Path, data_dir: Path, flags: Sequence[str] = (), *, latency: float = 0.0, bandwidth: float = 0.0
) -> Iterator[Process]:
    """A real `storegate store`, ready to answer; over a folder, or over one that takes `latency` s per request."""
    http, grpc = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    store = {"type": "FILESYSTEM", "config": {"directory": str(bucket)}}
    if latency:
        store = {
            "type": "SLOW-FOLDER",
            "config": {"directory": str(bucket), "latency": latency, "bandwidth": bandwidth},
        }
    config = json.dumps(store)
    command = [
        str(Path(sys.executable).with_name("storegate")),
        "store",
        f"--objstore.config={config}",
        f"--data-dir={data_dir}",
        f"--http-address={http}",
        f"--grpc-address={grpc}",
        "--log.level=warn",
        *flags,
    ]
    path = os.pathsep.join([str(HERE / "slow_plugin"), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path} if latency else None)
    try:
        _wait_ready(process, http)
        yield Process(process.pid, grpc, http)
    finally:
        process.terminate()
        process.wait()


def _wait_ready(process: subprocess.Popen[bytes], http: str) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{http}/-/ready"):
                return
        except OSError:
            time.sleep(0.005)
    raise RuntimeError(f"storegate store ended with {process.returncode}")


@contextmanager
def floor(frames: Path, kind: str) -> Iterator[Process]:
    """A bare grpcio server of ready frames; `kind` is `sync` or `aio`."""
    process = subprocess.Popen([sys.executable, str(HERE / "floor.py"), str(frames), kind], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield Process(process.pid, f"127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()
