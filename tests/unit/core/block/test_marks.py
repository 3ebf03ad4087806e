"""Reading deletion marks."""

from __future__ import annotations

import json

import pytest
from structlog.testing import capture_logs

from storegate import CorruptError, DeletionMark
from storegate.block.marks import UnsupportedMarkError, parse_deletion_mark

ULID = "01M825FHTM0VMQF3DFN1Z2QPXP"


def parse(**members: object) -> DeletionMark:
    document = {"id": ULID, "version": 1, "deletion_time": 1795369714, **members}
    return parse_deletion_mark(json.dumps(document).encode(), ULID)


def test_seconds_become_milliseconds() -> None:
    assert parse(details="why") == DeletionMark(ulid=ULID, deletion_time=1795369714000, details="why")


def test_details_are_optional() -> None:
    assert parse().details == ""


def test_a_mark_that_names_another_block_counts_for_its_folder_with_a_warning() -> None:
    with capture_logs() as logs:
        mark = parse(id="01M825K83KN0E4XPQSMTHJ3FD5")
    assert mark.ulid == ULID
    assert [entry["log_level"] for entry in logs] == ["warning"]


@pytest.mark.parametrize("version", [0, 2, None])
def test_another_version_is_not_supported(version: int | None) -> None:
    with pytest.raises(UnsupportedMarkError, match=f"{ULID}/deletion-mark.json"):
        parse(version=version)


@pytest.mark.parametrize("member", [{"deletion_time": "now"}, {"deletion_time": 1.5}, {"details": 1}, {"id": 1}])
def test_wrong_types_are_corrupt(member: dict[str, object]) -> None:
    with pytest.raises(CorruptError):
        parse(**member)


@pytest.mark.parametrize("data", [b"", b"{", b"[]"])
def test_a_partial_upload_is_corrupt_but_not_of_another_version(data: bytes) -> None:
    with pytest.raises(CorruptError) as caught:
        parse_deletion_mark(data, ULID)
    assert not isinstance(caught.value, UnsupportedMarkError)
