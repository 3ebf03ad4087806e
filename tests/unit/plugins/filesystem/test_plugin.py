"""The provider FILESYSTEM."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

import storegate
import storegate_filesystem
from storegate_filesystem.store import FilesystemStore, open_store


def test_hook_storegate_object_stores_registers_it() -> None:
    (provider,) = storegate_filesystem.storegate_object_stores()
    assert (provider.name, provider.factory) == ("FILESYSTEM", "storegate_filesystem.store:open_store")


def test_the_factory_opens_the_configured_folder(tmp_path: Path) -> None:
    config = storegate_filesystem.FilesystemConfig.model_validate({"directory": str(tmp_path)})
    context = storegate.PluginContext(name="FILESYSTEM", log=logging.getLogger(), registry=CollectorRegistry())
    store = open_store(config, context)
    assert isinstance(store, FilesystemStore)
    assert store.writable


@pytest.mark.parametrize("config", [{}, {"directory": ""}, {"directory": None}, {"directory": "/tmp", "folder": "x"}])
def test_wrong_settings_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        storegate_filesystem.FilesystemConfig.model_validate(config)
