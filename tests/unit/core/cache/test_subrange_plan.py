"""Ranged reads as numbers of subranges."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.cache.subrange_plan import Plan, copy_into, merged
from storegate.reads import Read, new_arena


@pytest.mark.parametrize(
    ("indexes", "most", "runs"),
    [
        ([], 3, []),
        ([5], 3, [(5, 6)]),
        ([1, 2, 3], 1, [(1, 4)]),
        ([1, 3, 5], 3, [(1, 2), (3, 4), (5, 6)]),
        ([1, 3, 6], 2, [(1, 4), (6, 7)]),
        ([1, 3, 6], 1, [(1, 7)]),
        ([1, 3, 6], 0, [(1, 2), (3, 4), (6, 7)]),
        ([1, 3, 6], -1, [(1, 2), (3, 4), (6, 7)]),
        # gaps of 4 and 5 are both within 8, the limit after 1, 2 and 4: all join though three runs were allowed
        ([0, 10, 15, 21, 40], 3, [(0, 1), (10, 22), (40, 41)]),
    ],
)
def test_missing_subranges_are_joined_over_the_least_gaps_that_suffice(
    indexes: list[int], most: int, runs: list[tuple[int, int]]
) -> None:
    assert merged(indexes, most) == runs


@given(indexes=st.sets(st.integers(0, 300)).map(sorted), most=st.integers(-1, 6))
def test_runs_cover_all_and_are_no_more_than_allowed(indexes: list[int], most: int) -> None:
    runs = merged(indexes, most)
    assert all(any(low <= i < end for low, end in runs) for i in indexes)
    assert all(before[1] < after[0] for before, after in pairwise(runs))
    assert most <= 0 or len(runs) <= most
    assert all(low in indexes and end - 1 in indexes for low, end in runs)


def test_the_last_subrange_of_an_object_is_shorter() -> None:
    plan = Plan(Read("k", 0, new_arena(0)), "p:", 25, 10, 0, 3)
    assert [plan.length(i) for i in range(3)] == [10, 10, 5]


@given(
    start=st.integers(0, 40), length=st.integers(0, 40), cut=st.integers(0, 40), offset=st.integers(0, 60),
    size=st.integers(0, 30), view=st.booleans(),
)  # fmt: skip
def test_what_overlaps_a_read_is_copied_and_nothing_else(
    start: int, length: int, cut: int, offset: int, size: int, view: bool
) -> None:
    read = Read("k", start, new_arena(length), got=min(cut, length))
    read.buffer[:] = bytes(length)
    data = bytes(range(1, size + 1))
    copy_into(read, offset, memoryview(data) if view else data)
    expected = [
        data[at - offset] if offset <= at < offset + size and at < start + read.got else 0
        for at in range(start, start + length)
    ]
    assert list(read.buffer) == expected
