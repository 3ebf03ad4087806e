"""Fixtures of more than one kind of test: the real command in a process of its own."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

pytest_plugins = [f"servers.{name}" for name in ("s3", "gcs", "azure", "memcached", "redis", "dns", "prometheus")]

settings.register_profile("default", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=3000)  # pytest --hypothesis-profile=thorough
settings.load_profile("default")

START_SECONDS = 60.0
STOP_SECONDS = 30.0


def command() -> list[str]:
    """How to call `storegate` of this environment; a source tree that is not installed has no script."""
    script = shutil.which("storegate", path=str(Path(sys.executable).parent))
    return [script] if script else [sys.executable, "-c", "from storegate.cli import main; main()"]


class Store:
    """A running `storegate store`. `log` is the file that its stderr goes to."""

    def __init__(self, process: subprocess.Popen[bytes], http_address: str, grpc_address: str, log: Path) -> None:
        self.process = process
        self.http_address = http_address
        self.grpc_address = grpc_address
        self.log = log

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET request."""
        connection = http.client.HTTPConnection(self.http_address, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def logged(self) -> str:
        """All that it has written to stderr so far."""
        return self.log.read_text(encoding="utf-8")

    def wait_ready(self) -> None:
        """Until `/-/ready` says so; at once when the process ends instead."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                if self.get("/-/ready")[0] == 200:
                    return
            except OSError:
                pass  # not listening yet
            try:
                code = self.process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"storegate store ended with {code} before it was ready:\n{self.logged()}")
        raise AssertionError(f"storegate store was not ready after {START_SECONDS} s:\n{self.logged()}")

    def stop(self) -> int:
        """SIGTERM, then the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"storegate store did not end:\n{self.logged()}") from None


def free_addresses(count: int) -> list[str]:
    """Loopback addresses that nobody listened on a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [f"127.0.0.1:{opened.getsockname()[1]}" for opened in sockets]


@pytest.fixture(scope="session")
def storegate_command() -> list[str]:
    return command()


@pytest.fixture(scope="session")
def start_store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A context manager: `storegate store` over a bucket, ready to answer (if not told otherwise), stopped at the end.

    The bucket is a folder, or what `--objstore.config` takes; `program` is the command, by default that of this
    environment.
    """

    @contextmanager
    def start(
        bucket: Path | str, flags: Sequence[str] = (), *, ready: bool = True, program: Sequence[str] = ()
    ) -> Iterator[Store]:
        object_store = bucket if isinstance(bucket, str) else f"{{type: FILESYSTEM, config: {{directory: {bucket}}}}}"
        folder = tmp_path_factory.mktemp("store")
        http_address, grpc_address = free_addresses(2)
        arguments = [
            *(program or command()),
            "store",
            f"--objstore.config={object_store}",
            f"--data-dir={folder / 'data'}",
            f"--http-address={http_address}",
            f"--grpc-address={grpc_address}",
            *flags,
        ]
        log = folder / "stderr.log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=stderr)
        store = Store(process, http_address, grpc_address, log)
        try:
            if ready:
                store.wait_ready()
            yield store
        finally:
            if process.poll() is None:
                store.stop()

    return start
