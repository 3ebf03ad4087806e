"""The page about the bucket commands knows every problem and every key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from storegate.block.discovery import BlockListing
from storegate.block.verify.report import Code
from storegate.cli.bucket.documents import row_document
from storegate.cli.bucket.rows import BlockRow, State

PAGE = (Path(__file__).resolve().parents[2] / "docs/how-to/inspect-a-bucket.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^##+ (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def quoted(text: str) -> set[str]:
    """All words in code style."""
    return set(re.findall(r"`([a-z_-]+)`", text))


def test_every_problem_is_explained() -> None:
    assert sorted(set(get_args(Code)) - quoted(SECTIONS["Verify blocks"])) == []


def test_every_key_of_a_block_is_explained() -> None:
    row = BlockRow(ulid="0" * 26, state=State.PARTIAL, marks={}, listing=BlockListing())
    assert set(row_document(row)) - quoted(SECTIONS["`ls --json`"]) == set()


def test_every_state_is_explained() -> None:
    assert set(State) - quoted(SECTIONS["List blocks"]) == set()
