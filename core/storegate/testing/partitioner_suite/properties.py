"""Order, coverage, gaps: what holds for the answer to any ranges."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storegate.testing.partitioner_suite.ranges import FAR, Ranges, parts_of, range_lists, reads_of
from storegate.types import LearnsFromReads, Partitioner

MANY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
REPORTS = st.lists(st.tuples(st.integers(0, 1 << 30), st.floats(0, 60)), max_size=30)


class PartitionTests:
    """Subclasses may change the attributes below."""

    max_gap: int | None = None
    """Bytes; a gap that is larger is never read. None when the partitioner has no such bound."""

    def test_nothing_gives_nothing(self, partitioner: Partitioner) -> None:
        assert parts_of(partitioner, []) == []

    @pytest.mark.parametrize("one", [(0, 1), (7, 7), (FAR, FAR + 1)])
    def test_a_single_range_is_one_read(self, partitioner: Partitioner, one: tuple[int, int]) -> None:
        assert parts_of(partitioner, [one]) == [0]

    @MANY
    @given(ranges=range_lists(least=1))
    def test_parts_begin_with_the_first_range_and_ascend(self, partitioner: Partitioner, ranges: Ranges) -> None:
        parts = parts_of(partitioner, ranges)
        assert parts[0] == 0
        assert all(one < other for one, other in pairwise(parts))
        assert parts[-1] < len(ranges)

    @MANY
    @given(ranges=range_lists(least=1))
    def test_every_range_lies_in_its_read(self, partitioner: Partitioner, ranges: Ranges) -> None:
        parts = parts_of(partitioner, ranges)
        reads = reads_of(parts, ranges)
        for index, (start, end) in enumerate(ranges):
            low, high = reads[sum(part <= index for part in parts) - 1]
            assert low <= start
            assert end <= high

    @MANY
    @given(ranges=range_lists(least=1))
    def test_no_byte_is_read_twice(self, partitioner: Partitioner, ranges: Ranges) -> None:
        reads = reads_of(parts_of(partitioner, ranges), ranges)
        assert all(one[1] <= other[0] for one, other in pairwise(reads)), "ranges that overlap are read together"

    @MANY
    @given(ranges=range_lists(least=1))
    def test_no_gap_above_the_bound_is_read(self, partitioner: Partitioner, ranges: Ranges) -> None:
        parts, reached = parts_of(partitioner, ranges), ranges[0][1]
        for index, (start, end) in enumerate(ranges):
            if self.max_gap is not None and start - reached > self.max_gap:
                assert index in parts, f"a gap of {start - reached} bytes"
            reached = max(reached, end)

    @MANY
    @given(ranges=range_lists())
    def test_the_same_ranges_have_the_same_answer(self, partitioner: Partitioner, ranges: Ranges) -> None:
        assert parts_of(partitioner, ranges) == parts_of(partitioner, ranges)

    @MANY
    @given(ranges=range_lists(least=1), reports=REPORTS)
    def test_what_it_learns_breaks_nothing(
        self, partitioner: Partitioner, ranges: Ranges, reports: list[tuple[int, float]]
    ) -> None:
        if isinstance(partitioner, LearnsFromReads):
            for size, seconds in reports:
                partitioner.read_done(size, seconds)
        reads = reads_of(parts_of(partitioner, ranges), ranges)
        assert all(one[1] <= other[0] for one, other in pairwise(reads))
        assert reads[-1][1] >= max(end for _, end in ranges)

    def test_threads_may_ask_at_once(self, partitioner: Partitioner) -> None:
        questions = [
            [(start * step, start * step + 100) for start in range(500)] for step in (50, 150, 10**4, 10**6)
        ] * 8
        alone = [parts_of(partitioner, ranges) for ranges in questions]
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda ranges: parts_of(partitioner, ranges), questions)) == alone
