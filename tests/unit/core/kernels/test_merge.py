"""The k-way merge of sorted label sets, against Python's sort."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate_proto.store.storepb.types_pb2 import Series

SETS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(("", "1", "2")), max_size=3).map(
    lambda labels: tuple(sorted(labels.items()))
)
RUNS = st.lists(st.lists(SETS, max_size=6).map(sorted), min_size=1, max_size=6)


def arena_of(sets):
    parts = [Series(labels=[{"name": n, "value": v} for n, v in labels]).SerializeToString() for labels in sets]
    return b"".join(parts), np.array([*accumulate(map(len, parts), initial=0)], np.int64)


def merge(kernels, runs):
    sets = [labels for run in runs for labels in run]
    bounds = np.array([*accumulate(map(len, runs), initial=0)], np.int64)
    order, first = np.full(len(sets), -1, np.int64), np.full(len(sets), 7, np.uint8)
    kernels.merge.merge_labels(*arena_of(sets), bounds, order, first)
    return sets, order.tolist(), first.tolist()


@given(runs=RUNS)
def test_runs_become_one_order_with_ties_in_the_order_of_the_runs(kernels, runs):
    sets, order, _ = merge(kernels, runs)
    assert order == sorted(range(len(sets)), key=lambda i: sets[i])


@given(runs=RUNS)
def test_the_first_of_equal_sets_is_marked(kernels, runs):
    sets, order, first = merge(kernels, runs)
    assert first == [int(i == 0 or sets[order[i]] != sets[order[i - 1]]) for i in range(len(order))]


@pytest.mark.parametrize("bounds", [[0, 1], [1, 2], [0, 2, 1, 2], [0, 3]])
def test_runs_that_do_not_cover_the_sets_are_refused(kernels, bounds):
    arena, starts = arena_of([(("a", "1"),), (("b", "1"),)])
    with pytest.raises(ValueError, match="the runs do not"):
        kernels.merge.merge_labels(arena, starts, np.array(bounds), np.empty(2, np.int64), np.empty(2, np.uint8))


def test_outputs_of_the_wrong_size_are_refused(kernels):
    arena, starts = arena_of([(("a", "1"),), (("b", "1"),)])
    bounds = np.array([0, 2])
    for n, m in ((1, 2), (2, 1)):
        with pytest.raises(ValueError, match="too small"):
            kernels.merge.merge_labels(arena, starts, bounds, np.empty(n, np.int64), np.empty(m, np.uint8))
