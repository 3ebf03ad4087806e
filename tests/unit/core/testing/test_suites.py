"""The suites of meta filters and partitioners find what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BROKEN = [
    ("Clock", "test_the_time_is_that_of_the_context_and_not_of_a_clock"),
    ("Greedy", "test_the_order_of_blocks_does_not_matter"),
    ("Remembering", "test_the_same_question_has_the_same_answer"),
    ("Changing", "test_metas_and_marks_are_not_changed"),
    ("Changing", "test_a_read_only_view_of_the_metas_is_enough"),
    ("Foreign", "test_an_answer_gives_each_block_to_drop_a_state"),
    ("Foreign", "test_without_blocks_nothing_is_dropped"),
    ("Unlisted", "test_an_answer_gives_each_block_to_drop_a_state"),
    ("Splitter", "test_no_byte_is_read_twice"),
    ("Forgetful", "test_a_single_range_is_one_read"),
    ("Forgetful", "test_parts_begin_with_the_first_range_and_ascend"),
    ("Lazy", "test_no_gap_above_the_bound_is_read"),
    ("Untyped", "test_nothing_gives_nothing"),
]


@pytest.fixture(scope="module")
def failures() -> set[tuple[str, str]]:
    """Class and test of all that fails over plugins that break one promise each."""
    file = Path(__file__).with_name("broken_plugins.py")
    options = ["-q", "--tb=no", "-rf", "-p", "no:cacheprovider", "-c", "/dev/null", "--noconftest"]
    wanted = [f"{file}::Test{name}::{test}" for name, test in BROKEN]
    command = [sys.executable, "-m", "pytest", *options, *wanted]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return set(re.findall(r"^FAILED \S+?::Test(\w+)::(\w+)", ended.stdout, re.MULTILINE))


@pytest.mark.parametrize(("name", "test"), BROKEN)
def test_a_broken_promise_is_noticed(failures: set[tuple[str, str]], name: str, test: str) -> None:
    assert (name, test) in failures
