"""How long the recent reads of a store took."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storegate.objstore.latencies import FEWEST, REFRESH, WINDOW, Latencies


def test_nothing_is_slow_before_enough_was_seen() -> None:
    latencies = Latencies(0.5)
    for _ in range(FEWEST - 1):
        latencies.observe(1000, 1.0)
    assert latencies.slow(1000) is None


@given(st.floats(0.01, 0.99), st.permutations(range(100)))
def test_as_many_reads_are_slower_as_the_quantile_leaves(quantile: float, seconds: list[int]) -> None:
    latencies = Latencies(quantile)
    for value in seconds[: 6 * REFRESH]:
        latencies.observe(1, value)
    slow = latencies.slow(1)
    assert slow is not None
    assert sum(value < slow for value in seconds[: 6 * REFRESH]) == int(6 * REFRESH * quantile)


def test_what_was_long_ago_is_forgotten() -> None:
    latencies = Latencies(0.9)
    for seconds in (9.0, 0.1):
        for _ in range(WINDOW):
            latencies.observe(1, seconds)
    assert latencies.slow(1) == 0.1


def test_small_reads_are_not_compared_with_large_ones() -> None:
    latencies = Latencies(0.9)
    for _ in range(FEWEST + REFRESH):
        latencies.observe(1000, 0.01)
        latencies.observe(16 << 20, 1.0)
    assert (latencies.slow(1000), latencies.slow(16 << 20)) == (0.01, 1.0)
