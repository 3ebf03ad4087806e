"""`docs/reference/thanos-compatibility.md` speaks of every flag, endpoint and metric of the reference, and truly."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from thanos import endpoints, flags, metrics

from storegate.config.flag_table import FLAGS, PAIRS

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/thanos-compatibility.md"
VERDICTS = {"same", "better", "not applicable"}


class Row(NamedTuple):
    verdict: str
    reason: str


def table(title: str) -> dict[str, Row]:
    """The rows of a section by what the first cell names."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if named := re.fullmatch(r"`(.+)`", cells[0]):
            assert named[1] not in rows, named[1]
            rows[named[1]] = Row(cells[-2], cells[-1])
    return rows


TABLES = {name: table(name) for name in ("Flag by flag", "Endpoint by endpoint", "Metric by metric")}
FLAG_ROWS, ENDPOINT_ROWS, METRIC_ROWS = TABLES.values()


def test_every_flag_has_a_row() -> None:
    assert sorted(FLAG_ROWS) == sorted(f"--{fact.name}" for fact in flags())


def test_every_endpoint_has_a_row() -> None:
    assert sorted(ENDPOINT_ROWS) == sorted(fact["path"] for fact in endpoints())


def test_every_metric_has_a_row() -> None:
    assert sorted(METRIC_ROWS) == sorted([*(fact.name for fact in metrics()), "go_*", "process_*"])


@pytest.mark.parametrize("name", TABLES)
def test_a_verdict_other_than_same_has_a_reason(name: str) -> None:
    rows = TABLES[name]
    assert {row.verdict for row in rows.values()} <= VERDICTS
    assert [key for key, row in rows.items() if row.verdict != "same" and not row.reason] == []


def test_flags_without_effect_are_those_that_are_not_applicable() -> None:
    ignored = {f"--{flag.name}" for flag in FLAGS if flag.ignored}
    ignored |= {name for pair in PAIRS if pair.ignored for name in (f"--{pair.name}", f"--{pair.name}-file")}
    assert {name for name, row in FLAG_ROWS.items() if row.verdict == "not applicable"} == ignored
