"""The cost partitioner: gaps that follow from what reads cost."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

import storegate
from storegate.kernels import coalesce
from storegate_partitioners import CostConfig
from storegate_partitioners.cost import REPORTS, CostPartitioner, make_partitioner


def partitioner(**config: Any) -> CostPartitioner:
    context = storegate.PluginContext(name="cost", log=logging.getLogger(), registry=CollectorRegistry())
    return make_partitioner(CostConfig(**config), context)


def taught(latency: float, bytes_per_second: float, **config: Any) -> CostPartitioner:
    """One that saw a store of this kind."""
    made = partitioner(**config)
    for i in range(4 * REPORTS):
        size = (2_000, 60_000, 500_000)[i % 3]
        made.read_done(size, latency + size / bytes_per_second)
    return made


def parts(made: CostPartitioner, ranges: list[tuple[int, int]]) -> list[int]:
    starts, ends = np.array(ranges, np.int64).reshape(-1, 2).T.copy()
    return made.partition(starts, ends).tolist()


SCATTERED = [(i * 100_000, i * 100_000 + 1_000) for i in range(100)]


def test_before_any_read_the_gap_is_the_configured_one() -> None:
    assert parts(partitioner(first_gap="10KiB"), [(0, 10), (10_250, 10_260), (30_000, 30_010)]) == [0, 2]


def test_a_near_store_with_little_throughput_is_read_piece_by_piece() -> None:
    assert len(parts(taught(0.0002, 20e6), SCATTERED)) == 100


def test_a_far_store_with_much_throughput_is_read_at_once() -> None:
    assert len(parts(taught(0.5, 2e9), SCATTERED)) == 1


def test_what_is_chosen_costs_no_more_than_any_single_gap() -> None:
    made = taught(0.02, 100e6, request_weight=0)
    starts, ends = np.array(SCATTERED, np.int64).T.copy()

    def seconds(cuts: list[int]) -> float:
        bounds = [*cuts, len(SCATTERED)]
        sizes = [SCATTERED[b - 1][1] - SCATTERED[a][0] for a, b in pairwise(bounds)]
        return -(-len(sizes) // 16) * 0.02 + max(max(sizes), sum(sizes) / min(len(sizes), 16)) / 100e6

    gaps = [16 * 1024 * 2**n for n in range(10)]
    assert seconds(parts(made, SCATTERED)) == pytest.approx(
        min(seconds(coalesce(starts, ends, g).tolist()) for g in gaps)
    )


def test_requests_that_are_worth_more_are_saved() -> None:
    def reads(weight: float) -> int:
        return len(parts(taught(0.01, 100e6, request_weight=weight), SCATTERED))

    assert reads(0) > reads(100)


def test_gaps_stay_between_their_bounds() -> None:
    assert len(parts(taught(10, 1e9, max_gap="64KiB"), SCATTERED)) == 100
    assert len(parts(taught(1e-9, 1e6, min_gap="128KiB"), SCATTERED)) == 1


def test_bounds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_gap"):
        CostConfig(min_gap="2MiB", max_gap="1MiB")


def test_what_was_learnt_is_a_metric() -> None:
    registry = CollectorRegistry()
    made = make_partitioner(
        CostConfig(), storegate.PluginContext(name="cost", log=logging.getLogger(), registry=registry)
    )
    for i in range(REPORTS):
        size = (2_000, 500_000)[i % 2]
        made.read_done(size, 0.01 + size / 100e6)
    assert registry.get_sample_value("storegate_partitioner_latency_seconds") == pytest.approx(0.01)
    assert registry.get_sample_value("storegate_partitioner_bytes_per_second") == pytest.approx(100e6)


@given(
    ranges=st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**5)), max_size=30),
    latency=st.floats(1e-6, 1),
    speed=st.floats(1e5, 1e10),
)
def test_every_range_is_in_one_read_whatever_was_learnt(
    ranges: list[tuple[int, int]], latency: float, speed: float
) -> None:
    pairs = sorted((start, start + length) for start, length in ranges)
    found = parts(taught(latency, speed), pairs)
    assert found == sorted(set(found))
    assert found[:1] == [0][: len(pairs)]
    assert all(0 <= cut < len(pairs) for cut in found)
