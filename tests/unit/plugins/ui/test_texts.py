"""Numbers as people read them."""

from __future__ import annotations

import pytest

from storegate_ui.texts import bytes_text, count_text, duration_text, percent_text, time_text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**50 * 3, "3.0 PiB"), (2**60, "1024.0 PiB")]
)
def test_bytes(size: float, text: str) -> None:
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0.00 s"), (0.35, "0.35 s"), (125, "2m 5s"), (86_400, "1d"), (273_700, "3d 4h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("millis", "text"), [(0, "1970-01-01 00:00:00 UTC"), (2**63 - 1, "unbounded"), (-(2**63), "unbounded")]
)
def test_times(millis: int, text: str) -> None:
    assert time_text(millis) == text


def test_counts_and_shares() -> None:
    assert (count_text(1234567), percent_text(0.125)) == ("1\u202f234\u202f567", "12.5\u202f%")
