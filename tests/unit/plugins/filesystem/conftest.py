"""A folder as a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storegate_filesystem.store import FilesystemStore


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    folder = tmp_path / "bucket"
    folder.mkdir()
    return folder


@pytest.fixture
def store(bucket: Path) -> Iterator[FilesystemStore]:
    opened = FilesystemStore(str(bucket))
    yield opened
    opened.close()
