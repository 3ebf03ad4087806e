"""The bridge to fsspec over HTTP: a folder that a web server lists, read by the acceptance suite's readers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

import storegate
from storegate_fsspec import FsspecConfig
from storegate_fsspec.store import FsspecStore, open_store


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder with listings, says nothing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    (folder / "block" / "chunks").mkdir(parents=True)
    (folder / "block" / "index").write_bytes(bytes(range(256)) * 40)
    (folder / "block" / "chunks" / "000001").write_bytes(b"chunk")
    (folder / "top").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[FsspecStore]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    context = storegate.PluginContext(name="FSSPEC", log=logging.getLogger(), registry=CollectorRegistry())
    yield open_store(FsspecConfig(url=f"http://127.0.0.1:{server.server_port}", read_only=True), context)
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_web_servers_pages_are_a_listing(store: FsspecStore) -> None:
    assert [entry.key for entry in store.list()] == ["block/", "top"]
    assert [entry.key for entry in store.list(recursive=True)] == ["block/chunks/000001", "block/index", "top"]


def test_a_file_is_read_whole(store: FsspecStore) -> None:
    assert store.get("block/chunks/000001") == b"chunk"


def test_its_size_is_known(store: FsspecStore) -> None:
    assert store.head("block/index").size == 10240


def test_an_absent_file_is_not_found(store: FsspecStore) -> None:
    for ask in (store.get, store.head, lambda key: store.get_range(key, 0, 1)):
        with pytest.raises(storegate.NotFoundError, match="nothing"):
            ask("nothing")


def test_a_server_without_ranges_is_told_from_one_that_has_them(store: FsspecStore) -> None:
    # The standard library's server ignores Range: what it sends is not taken for the range.
    with pytest.raises(storegate.UnavailableError):
        store.get_range("block/index", 10, 5)
