"""What reads cost, out of what they took."""

from __future__ import annotations

import pytest

from storegate_partitioners.read_cost import KEPT, ReadCost

LATENCY, PER_BYTE = 0.03, 1 / 100e6


def cost_of(sizes: list[int], seconds: list[float] | None = None) -> ReadCost:
    cost = ReadCost()
    for i, size in enumerate(sizes):
        cost.add(size, LATENCY + size * PER_BYTE if seconds is None else seconds[i])
    return cost


def test_a_line_through_the_reads_gives_latency_and_throughput() -> None:
    found = cost_of([1_000, 5_000, 200_000, 3_000_000] * 20).estimate()
    assert found == pytest.approx((LATENCY, PER_BYTE))


def test_a_few_stalls_change_nothing() -> None:
    sizes = [1_000, 5_000, 200_000, 3_000_000] * 20
    seconds = [LATENCY + size * PER_BYTE + (10 if i % 10 == 0 else 0) for i, size in enumerate(sizes)]
    assert cost_of(sizes, seconds).estimate() == pytest.approx((LATENCY, PER_BYTE), rel=0.2)


def test_reads_of_one_size_tell_nothing() -> None:
    assert cost_of([4_000] * 100).estimate() is None


def test_no_reads_tell_nothing() -> None:
    assert cost_of([]).estimate() is None


def test_old_reads_are_forgotten() -> None:
    cost = cost_of([1_000, 1_000_000] * KEPT)
    for size in (1_000, 1_000_000) * (KEPT // 2):
        cost.add(size, 0.001 + size * 1e-9)
    assert cost.estimate() == pytest.approx((0.001, 1e-9))


def test_large_reads_that_are_no_slower_than_small_ones_give_no_negative_numbers() -> None:
    latency, per_byte = cost_of([1_000, 1_000_000] * 20, [0.02, 0.01] * 20).estimate() or (0, 0)
    assert latency > 0
    assert per_byte > 0
