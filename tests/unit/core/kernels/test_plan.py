"""What to read: ranges joined into reads, the chunks of windows, and their byte ranges by file."""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

# --- ranges ---


def naive_cuts(ranges, gap):
    cuts, end = [], None
    for i, (start, stop) in enumerate(ranges):
        if end is None or start - end > gap:
            cuts.append(i)
            end = stop
        end = max(end, stop)
    return cuts


RANGES = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 50)), max_size=30).map(
    lambda pairs: sorted((start, start + length) for start, length in pairs)
)


@given(ranges=RANGES, gap=st.integers(0, 20))
def test_ranges_join_over_gaps_up_to_the_limit(kernels, ranges, gap):
    starts, ends = np.array(ranges, np.int64).reshape(-1, 2).T.copy()
    assert kernels.plan.coalesce(starts, ends, gap).tolist() == naive_cuts(ranges, gap)


def test_starts_and_ends_differing_in_length_are_refused(kernels):
    with pytest.raises(ValueError, match="differ in length"):
        kernels.plan.coalesce(np.zeros(2, np.int64), np.zeros(1, np.int64), 0)


@given(ranges=RANGES, gap=st.integers(0, 20))
def test_joined_ranges_lie_end_to_end_in_an_arena(kernels, ranges, gap):
    starts, ends = np.array(ranges, np.int64).reshape(-1, 2).T.copy()
    cuts = naive_cuts(ranges, gap)
    table, total = kernels.plan.join_ranges(np.array(cuts, np.int64), starts, ends)
    parts = [ranges[a:b] for a, b in pairwise([*cuts, len(ranges)])]
    lengths = [max(end for _, end in part) - part[0][0] for part in parts]
    places = [*accumulate(lengths, initial=0)]
    assert table.tolist() == [list(row) for row in zip(cuts, (p[0][0] for p in parts), places, lengths, strict=False)]
    assert total == places[-1]


@pytest.mark.parametrize("cuts", [[1], [0, 0], [0, 2], [0, -1], []])
def test_a_partition_that_is_none_is_refused(kernels, cuts):
    with pytest.raises(ValueError, match=r"partition|fit one another"):
        kernels.plan.join_ranges(np.array(cuts, np.int64), np.array([0, 9]), np.array([5, 12]))


# --- gather ---


def gather(kernels, firsts, counts, begin, groups, limit):
    """`counts` are the chunks of each row of the order."""
    starts = np.array([*accumulate(counts, initial=0)], np.int64)
    order, first = np.arange(len(firsts)), np.array(firsts, np.uint8)
    leaders, group_start = np.full(groups, -1, np.int64), np.full(groups + 1, -1, np.int64)
    table = np.arange(4 * sum(counts)).reshape(-1, 4)
    arguments = (order, first, begin, groups, limit, starts, table, leaders, group_start)
    counted = kernels.plan.gather_chunks(*arguments, None)
    rows = np.full((counted[2], 4), -1, np.int64)
    assert kernels.plan.gather_chunks(*arguments, rows) == counted
    end, found, _ = counted
    cuts = group_start[: found + 1].tolist()
    numbers = (rows[:, 0] // 4).tolist()
    assert (rows == table[numbers]).all()
    return end, leaders[:found].tolist(), [numbers[a:b] for a, b in pairwise(cuts)]


@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=12),
    groups=st.integers(1, 5),
    limit=st.integers(1, 8),
)
def test_windows_hold_whole_series_up_to_the_limits(kernels, rows, groups, limit):
    firsts = [1, *(int(first) for first, _ in rows[1:])]
    counts = [count for _, count in rows]
    places = [*accumulate(counts, initial=0)]
    leaders = [i for i, first in enumerate(firsts) if first]
    begin = 0
    while begin < len(rows):
        end, found, chunks = gather(kernels, firsts, counts, begin, groups, limit)
        number = leaders.index(begin)
        assert found == leaders[number : number + len(found)]
        assert end == [*leaders, len(rows)][number + len(found)]
        assert 1 <= len(found) <= groups
        stops = [*found[1:], end]
        assert chunks == [list(range(places[a], places[b])) for a, b in zip(found, stops, strict=True)]
        assert len(found) == 1 or sum(map(len, chunks[:-1])) < limit
        assert end == len(rows) or len(found) == groups or sum(map(len, chunks)) >= limit
        begin = end


def test_rows_outside_the_table_are_refused(kernels):
    with pytest.raises(ValueError, match="out of bounds"):
        kernels.plan.gather_chunks(
            np.array([0, 2]), np.ones(2, np.uint8), 0, 2, 9, np.zeros(2, np.int64), np.empty((0, 4), np.int64),
            np.zeros(2, np.int64), np.zeros(3, np.int64), None,
        )  # fmt: skip


def test_starts_behind_the_last_chunk_are_refused(kernels):
    with pytest.raises(ValueError, match="past the chunks"):
        kernels.plan.gather_chunks(
            np.array([0]), np.ones(1, np.uint8), 0, 1, 9, np.array([0, 2]), np.empty((1, 4), np.int64),
            np.zeros(1, np.int64), np.zeros(2, np.int64), None,
        )  # fmt: skip


# --- plan and place ---


def plan(kernels, chunks, files):
    """`chunks` are (file, offset, next offset or 0), `files` (bytes of a chunk of unknown end, size or 0)."""
    m = len(chunks)
    rows = np.array([(0, 0, file << 32 | offset, following) for file, offset, following in chunks], np.int64)
    order, starts, ends = (np.full(m, -1, np.int64) for _ in range(3))
    runs = np.full(len(files) + 1, -1, np.int64)
    table = np.array(files, np.int64).reshape(-1, 2)
    status, found = kernels.plan.plan_chunks(rows, table, order, np.empty(m, np.int64), starts, ends, runs)
    if status:
        return status, found
    return order.tolist(), list(zip(starts.tolist(), ends.tolist(), strict=True)), runs[: found + 1].tolist()


def test_chunks_are_planned_by_file_and_offset(kernels):
    order, ranges, runs = plan(kernels, [(1, 50, 0), (0, 70, 0), (1, 8, 0), (0, 8, 0)], [(1000, 0), (1000, 0)])
    assert order == [3, 1, 2, 0]
    assert ranges == [(8, 70), (70, 1070), (8, 50), (50, 1050)]
    assert runs == [0, 2, 4]


@pytest.mark.parametrize(
    ("chunk", "others", "file", "end"),
    [
        ((0, 10, 0), [], (30, 0), 40),
        ((0, 10, 25), [], (30, 0), 25),
        ((0, 10, 0), [(0, 20, 0)], (30, 0), 20),
        ((0, 10, 0), [(0, 10, 0)], (30, 0), 40),
        ((0, 10, 0), [(0, 10, 0), (0, 20, 0)], (30, 0), 20),
        ((0, 10, 0), [], (30, 35), 35),
        ((0, 10, 50), [], (30, 35), 35),
        ((0, 10, 0), [(1, 20, 0)], (30, 0), 40),
        ((0, 10, 25), [(0, 20, 0)], (30, 0), 20),
        ((0, 10, 10 + 2**20), [], (30, 0), 10 + 2**20),
        ((0, 10, 11 + 2**20), [], (30, 0), 40),
    ],
    ids=[
        "guess",
        "next",
        "wanted",
        "same",
        "same-then-wanted",
        "size",
        "next-behind-size",
        "other-file",
        "wanted-before-next",
        "next-far",
        "next-too-far-to-be-meant",
    ],
)
def test_a_chunk_ends_at_the_smallest_bound_that_is_known(kernels, chunk, others, file, end):
    order, ranges, _ = plan(kernels, [chunk, *others], [file, (30, 0)])
    assert ranges[order.index(0)] == (chunk[1], end)


@pytest.mark.parametrize(
    ("chunk", "answer"),
    [((2, 8, 0), (19, 1)), ((-1, 8, 0), (19, 1)), ((1, 100, 0), (20, 1)), ((1, 99, 0), None)],
)
def test_chunks_outside_their_files_are_named(kernels, chunk, answer):
    found = plan(kernels, [(0, 8, 0), chunk], [(10, 0), (10, 100)])
    assert found == answer or (answer is None and found[1][-1] == (99, 100))


@given(
    chunks=st.lists(st.tuples(st.integers(0, 3), st.integers(8, 120), st.booleans()), min_size=1, max_size=20),
    guess=st.integers(1, 40),
)
def test_every_chunk_is_planned_once_in_order(kernels, chunks, guess):
    wanted = [(file, offset, offset + 5 if known else 0) for file, offset, known in chunks]
    order, ranges, runs = plan(kernels, wanted, [(guess, 0)] * 4)
    assert order == sorted(range(len(wanted)), key=lambda i: wanted[i][:2])
    assert [start for start, _ in ranges] == [wanted[i][1] for i in order]
    assert all(start < end <= start + max(guess, 5) for start, end in ranges)
    assert [wanted[order[at]][0] for at in runs[:-1]] == sorted({file for file, _, _ in wanted})
    assert runs[-1] == len(wanted)


def test_chunks_are_placed_where_reads_put_them(kernels):
    order, starts = np.array([2, 0, 1, 3]), np.array([100, 120, 500, 530])
    reads = np.array([(0, 100, 0, 40), (2, 500, 40, 20)])
    places = np.empty((4, 2), np.int64)
    kernels.plan.place_chunks(order, starts, reads, places)
    assert places[[2, 0, 1, 3]].tolist() == [[0, 40], [20, 40], [40, 60], [70, 70]]


@pytest.mark.parametrize("reads", [[(1, 0, 0, 1), (0, 0, 0, 1)], [(4, 0, 0, 1)], [(0, 0, 0, 1), (0, 0, 0, 1)]])
def test_reads_that_do_not_ascend_are_refused(kernels, reads):
    with pytest.raises(ValueError, match="do not ascend"):
        kernels.plan.place_chunks(np.arange(4), np.arange(4), np.array(reads), np.empty((4, 2), np.int64))
