"""Fixtures that start a store with the protocol of Azure Blob Storage: Azurite, from npm."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from servers.process import ServerProcess, free_port

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The key that Azurite comes with, the same everywhere. It refuses every other."""
FOLDER = Path(__file__).resolve().parents[3] / ".tox/azurite/node_modules/.bin"


class AzureServer:
    """A store with one account. `url` is that of the account."""

    def __init__(self, process: ServerProcess, scheme: str = "http") -> None:
        self.process = process
        self.url = f"{scheme}://{process.address}/{ACCOUNT}"

    def config(self, container: str = "", **more: Any) -> dict[str, Any]:
        """Settings of the plugin for a container of this server; by default for one that does not exist yet."""
        container = container or f"container-{secrets.token_hex(6)}"
        place = {"storage_account": ACCOUNT, "container": container, "endpoint": self.url}
        return {**place, "storage_account_key": KEY, **more}


def azure_process(folder: Path, *arguments: str) -> ServerProcess:
    """An Azurite that is not started yet."""
    program = shutil.which("azurite-blob") or shutil.which("azurite-blob", path=str(FOLDER))
    assert program, f"azurite-blob is not installed: npm install --prefix {FOLDER.parents[1]} azurite"
    port = free_port()
    listen = [
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
    ]
    quiet = ["--silent", "--disableTelemetry", "--inMemoryPersistence"]
    return ServerProcess(program, "nodejs", [*listen, *quiet, *arguments], port, folder)


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """One server that all tests share: each uses containers of its own."""
    process = azure_process(tmp_path_factory.mktemp("azure"))
    process.start()
    yield AzureServer(process)
    process.kill()


@pytest.fixture(scope="session")
def open_azure() -> Iterator[Callable[..., Any]]:
    """Opens stores of the plugin by its settings, and closes them."""
    from storegate import PluginContext
    from storegate_azure.config import AzureConfig
    from storegate_azure.store import open_store

    with ExitStack() as stack:

        def open_azure(**settings: Any) -> Any:
            log, registry = structlog.get_logger(), CollectorRegistry()
            context = PluginContext(name="AZURE", log=log, registry=registry)
            store = open_store(AzureConfig.model_validate(settings), context)
            stack.callback(store.close)
            return store

        yield open_azure
