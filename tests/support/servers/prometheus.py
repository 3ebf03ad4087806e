"""Prometheus servers, and a client of their HTTP API."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from servers.process import ServerProcess, free_port

FLAGS = ("--storage.tsdb.retention.time=100y", "--enable-feature=native-histograms", "--log.level=warn")
"""Blocks of a test are years old; the last one lets Debian's version read native histograms."""

StartPrometheus = Callable[..., "Prometheus"]


class Prometheus(ServerProcess):
    """One server over `folder/data`, which may hold blocks already."""

    def __init__(self, folder: Path, config: str, flags: Sequence[str] = FLAGS) -> None:
        port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "prometheus.yml").write_text(config, encoding="utf-8")
        arguments = [
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            *flags,
        ]
        super().__init__("prometheus", "prometheus", arguments, port, folder)

    def serves(self) -> bool:
        """Whether it has read its blocks."""
        if not super().serves():
            return False
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def api(self, path: str, **parameters: str | Sequence[str]) -> dict[str, Any]:
        """The document that `/api/v1/<path>` answers, errors included."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}?{query}", timeout=60) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            return dict(json.load(error))


@pytest.fixture(scope="session")
def start_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartPrometheus]:
    """Starts servers with the given prometheus.yml and, if given, in a folder with blocks; all end with the tests."""
    servers: list[Prometheus] = []

    def start(config: str, folder: Path | None = None, flags: Sequence[str] = FLAGS) -> Prometheus:
        server = Prometheus(folder or tmp_path_factory.mktemp("prometheus"), config, flags)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()
