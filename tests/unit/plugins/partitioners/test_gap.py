"""The gap partitioner."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

import storegate
import storegate_partitioners
from storegate_partitioners.gap import GapPartitioner, make_partitioner


def parts(ranges: list[tuple[int, int]], max_gap: int) -> list[int]:
    starts = np.array([start for start, _ in ranges], dtype=np.int64)
    ends = np.array([end for _, end in ranges], dtype=np.int64)
    found = GapPartitioner(max_gap).partition(starts, ends)
    assert found.dtype == np.int64
    return [int(index) for index in found]


def slow_parts(ranges: list[tuple[int, int]], max_gap: int) -> list[int]:
    found: list[int] = []
    reached = 0
    for i, (start, end) in enumerate(ranges):
        if not found or reached + max_gap < start:
            found.append(i)
            reached = end
        reached = max(reached, end)
    return found


def test_ranges_are_joined_over_gaps_up_to_the_limit() -> None:
    assert parts([(0, 10), (20, 30), (41, 50)], 10) == [0, 2]


def test_a_long_range_covers_those_inside_it() -> None:
    assert parts([(0, 100), (10, 20), (105, 110)], 5) == [0]
    assert parts([(0, 100), (10, 20), (106, 110)], 5) == [0, 2]


def test_nothing_gives_nothing() -> None:
    assert parts([], 10) == []


def test_a_single_range_is_one_read() -> None:
    assert parts([(7, 9)], 0) == [0]


def test_far_offsets_do_not_overflow() -> None:
    far = 2**63 - 1
    assert parts([(0, 10), (far - 1, far)], 512 * 1024) == [0, 1]
    assert parts([(far - 3, far - 2), (far - 1, far)], 512 * 1024) == [0]


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 30)), max_size=20), st.integers(0, 20))
def test_it_agrees_with_the_rule_applied_one_by_one(pairs: list[tuple[int, int]], max_gap: int) -> None:
    ranges = sorted((start, start + length) for start, length in pairs)
    assert parts(ranges, max_gap) == slow_parts(ranges, max_gap)


def test_hook_storegate_partitioners_registers_it() -> None:
    found = {provider.name: provider.factory for provider in storegate_partitioners.storegate_partitioners()}
    assert found == {name: f"storegate_partitioners.{name}:make_partitioner" for name in ("gap", "cost")}


def test_the_factory_uses_the_configured_gap_which_is_512_kib_by_default() -> None:
    context = storegate.PluginContext(name="gap", log=logging.getLogger(), registry=CollectorRegistry())
    gap = 512 * 1024
    starts, ends = np.array([0, 10 + gap, 21 + 2 * gap]), np.array([10, 20 + gap, 30 + 2 * gap])
    assert make_partitioner(storegate_partitioners.GapConfig(), context).partition(starts, ends).tolist() == [0, 2]
    narrow = storegate_partitioners.GapConfig.model_validate({"max_gap": "1KiB"})
    assert make_partitioner(narrow, context).partition(starts, ends).tolist() == [0, 1, 2]


@pytest.mark.parametrize("config", [{"max_gap": -1}, {"max_gap": "1k"}, {"gap": 1}])
def test_wrong_settings_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        storegate_partitioners.GapConfig.model_validate(config)
