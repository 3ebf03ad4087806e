"""The bridge to fsspec, over its own file systems."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

import storegate
import storegate_fsspec
from storegate.testing.object_store_suite import ObjectStoreSuite
from storegate_fsspec import FsspecConfig
from storegate_fsspec.store import FsspecStore, open_store


def opened(url: str, **config: Any) -> FsspecStore:
    context = storegate.PluginContext(name="FSSPEC", log=logging.getLogger(), registry=CollectorRegistry())
    return open_store(FsspecConfig(url=url, **config), context)


class TestMemory(ObjectStoreSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, tmp_path_factory: pytest.TempPathFactory) -> FsspecStore:
        return opened(f"memory://{tmp_path_factory.mktemp('bucket').name}")


class TestLocalFolder(ObjectStoreSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, tmp_path_factory: pytest.TempPathFactory) -> FsspecStore:
        return opened(f"file://{tmp_path_factory.mktemp('bucket')}")


def test_hook_storegate_object_stores_registers_it() -> None:
    (provider,) = storegate_fsspec.storegate_object_stores()
    assert provider.name == "FSSPEC"


@pytest.mark.parametrize(
    ("url", "message"),
    [("blocks", "must begin with the protocol"), ("sftp://user:word@host/blocks", "put them under secrets")],
)
def test_addresses_that_are_none_or_hold_credentials_are_refused(url: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FsspecConfig(url=url)


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(storegate.ConfigurationError, match="nonsense"):
        opened("nonsense://x")


def test_secrets_are_in_no_text() -> None:
    config = FsspecConfig(url="memory://x", secrets={"password": "hunter2"})
    assert "hunter2" not in f"{config!r} {config.model_dump_json()}"


@pytest.mark.parametrize("change", [lambda store: store.put("a", b"x"), lambda store: store.delete("a")])
def test_a_bucket_that_is_read_only_is_not_changed(change: Callable[[Any], None], tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    store = opened(f"file://{tmp_path}", read_only=True)
    with pytest.raises(storegate.DeniedError, match="read_only"):
        change(store)
    assert (tmp_path / "a").read_bytes() == b"1"


@pytest.mark.parametrize("key", ["../a", "b/../../a", "/a", "", "b//c"])
def test_a_key_does_not_lead_out_of_the_bucket(key: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"secret")
    (tmp_path / "bucket").mkdir()
    with pytest.raises(storegate.NotFoundError):
        opened(f"file://{tmp_path / 'bucket'}").get(key)


def test_what_a_new_file_changes_is_seen_at_once(tmp_path: Path) -> None:
    store = opened(f"file://{tmp_path}")
    assert list(store.list()) == []
    (tmp_path / "a").write_bytes(b"1")
    assert [entry.key for entry in store.list()] == ["a"]


class Failing:
    """A file system that is not there."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def info(self, path: str) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PermissionError("token abc"), storegate.DeniedError),
        (TimeoutError("token abc"), storegate.UnavailableError),
        (RuntimeError("token abc"), storegate.UnavailableError),
    ],
)
def test_errors_of_the_file_system_are_translated_without_their_text(error: Exception, kind: type[Exception]) -> None:
    system: Any = Failing(error)
    with pytest.raises(kind) as caught:
        FsspecStore(system, "/x", "test://x", writable=True).head("a")
    assert "abc" not in str(caught.value)
