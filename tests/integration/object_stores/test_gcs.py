"""The object store GCS against fake-gcs-server, a real server over a real connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from servers.gcs import GcsServer, gcs_process

from storegate import ConfigurationError, NotFoundError, ObjectStore
from storegate.testing.object_store_suite import ObjectStoreSuite

OpenGcs = Callable[..., Any]


@pytest.fixture(scope="module")
def store(gcs_server: GcsServer, open_gcs: OpenGcs) -> ObjectStore:
    opened: ObjectStore = open_gcs(bucket=gcs_server.new_bucket(), endpoint=gcs_server.url)
    return opened


class TestGcs(ObjectStoreSuite):
    pass


def test_the_variable_of_googles_sdks_names_an_emulator(
    gcs_server: GcsServer, open_gcs: OpenGcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.process.address)
    store = open_gcs(bucket=gcs_server.new_bucket())
    store.put("object", b"content")
    assert store.get_range("object", 3, 3) == b"ten"


def test_a_missing_bucket_is_no_missing_object(gcs_server: GcsServer, open_gcs: OpenGcs) -> None:
    store = open_gcs(bucket="absent", endpoint=gcs_server.url)
    with pytest.raises(ConfigurationError, match="GCS bucket 'absent': the bucket does not exist"):
        list(store.list())


def test_placeholders_of_folders_are_not_listed(gcs_server: GcsServer, open_gcs: OpenGcs) -> None:
    store = open_gcs(bucket=gcs_server.new_bucket(), endpoint=gcs_server.url)
    for key in ("folder/", "folder/object", "other/"):
        store.put(key, b"")
    assert [info.key for info in store.list(recursive=True)] == ["folder/object"]
    assert [info.key for info in store.list("folder/")] == ["folder/object"]


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GcsServer, Path]]:
    """A server with a certificate for another name than its address, and the CA's."""
    authority = Authority(tmp_path_factory.mktemp("gcs-tls"))
    pair = authority.issue("store.example")
    files = ["-cert-location", str(pair.cert), "-private-key-location", str(pair.key)]
    process = gcs_process(tmp_path_factory.mktemp("gcs"), "-scheme", "https", *files)
    process.start()
    yield GcsServer(process, "https"), authority.ca
    process.kill()


@pytest.fixture
def emulator(tls_server: tuple[GcsServer, Path], monkeypatch: pytest.MonkeyPatch) -> GcsServer:
    """The server as an emulator, which wants no credentials."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", tls_server[0].url)
    return tls_server[0]


def test_tls_files_and_server_name_are_used(
    emulator: GcsServer, tls_server: tuple[GcsServer, Path], open_gcs: OpenGcs
) -> None:
    tls = {"ca_file": str(tls_server[1]), "server_name": "store.example"}
    store = open_gcs(bucket="absent", http_config={"tls_config": tls})
    with pytest.raises(NotFoundError):
        store.get("object")


def test_verification_can_be_switched_off(emulator: GcsServer, open_gcs: OpenGcs) -> None:
    store = open_gcs(bucket="absent", http_config={"insecure_skip_verify": True})
    with pytest.raises(NotFoundError):
        store.get("object")


@pytest.mark.parametrize("tls", [{}, {"ca_file": True}])
def test_a_certificate_that_is_not_trusted_is_named(
    emulator: GcsServer, tls_server: tuple[GcsServer, Path], open_gcs: OpenGcs, tls: dict[str, Any]
) -> None:
    """Without the CA it is not trusted at all, with it not for the address 127.0.0.1."""
    store = open_gcs(bucket="absent", http_config={"tls_config": {key: str(tls_server[1]) for key in tls}})
    with pytest.raises(ConfigurationError, match=r"certificate is not accepted .*http_config\.tls_config"):
        store.get("object")
