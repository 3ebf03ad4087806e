"""The acceptance suite of object stores over a folder."""

from __future__ import annotations

import pytest

from storegate.testing.object_store_suite import ObjectStoreSuite
from storegate_filesystem.store import FilesystemStore


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FilesystemStore:
    return FilesystemStore(str(tmp_path_factory.mktemp("bucket")))


class TestFilesystem(ObjectStoreSuite):
    pass
