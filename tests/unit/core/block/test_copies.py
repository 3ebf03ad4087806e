"""Local copies of small objects."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from storegate.block.copies import Copy, LocalCopies

ULID = "01M825FHTM0VMQF3DFN1Z2QPXP"
OTHER = "01M825K83KN0E4XPQSMTHJ3FD5"
TIME = 1_790_000_000_123


@pytest.fixture
def copies(data_dir: Path) -> LocalCopies:
    return LocalCopies(data_dir)


def test_a_copy_has_the_time_of_its_object(copies: LocalCopies, data_dir: Path) -> None:
    copies.write(ULID, "meta.json", b"data", TIME)
    assert copies.read(ULID, "meta.json") == Copy(b"data", TIME)
    assert os.listdir(data_dir / "meta-syncer" / ULID) == ["meta.json"]


def test_a_time_that_is_not_known_can_be_noted_later(copies: LocalCopies) -> None:
    copies.write(ULID, "meta.json", b"data", None)
    assert copies.read(ULID, "meta.json") == Copy(b"data", None)
    copies.stamp(ULID, "meta.json", TIME)
    assert copies.read(ULID, "meta.json") == Copy(b"data", TIME)


def test_an_absent_copy_is_none(copies: LocalCopies) -> None:
    assert copies.read(ULID, "meta.json") is None
    assert not copies.exists(ULID, "meta.json")
    copies.remove(ULID, "meta.json")
    copies.stamp(ULID, "meta.json", TIME)
    copies.keep_only([])


def test_a_disk_that_fails_costs_a_warning_and_no_more(data_dir: Path) -> None:
    data_dir.write_text("a file where the folder should be")
    copies = LocalCopies(data_dir)
    with capture_logs() as logs:
        copies.write(ULID, "meta.json", b"data", TIME)
        assert copies.read(ULID, "meta.json") is None
    assert {entry["log_level"] for entry in logs} == {"warning"}


def test_copies_of_other_blocks_are_removed(copies: LocalCopies, data_dir: Path) -> None:
    for ulid in (ULID, OTHER):
        copies.write(ulid, "meta.json", b"data", TIME)
        copies.write(ulid, "deletion-mark.json", b"data", TIME)
    (data_dir / "meta-syncer/notes").mkdir()
    copies.keep_only({ULID})
    assert sorted(os.listdir(data_dir / "meta-syncer")) == [ULID, "notes"]
    assert copies.exists(ULID, "meta.json")


def test_one_copy_can_be_removed(copies: LocalCopies) -> None:
    copies.write(ULID, "meta.json", b"data", TIME)
    copies.write(ULID, "deletion-mark.json", b"data", TIME)
    copies.remove(ULID, "deletion-mark.json")
    assert copies.exists(ULID, "meta.json")
    assert not copies.exists(ULID, "deletion-mark.json")
