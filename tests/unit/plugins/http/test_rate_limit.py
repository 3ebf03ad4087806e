"""A bucket of tokens."""

from __future__ import annotations

from storegate_http.rate_limit import RateLimiter


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def allowed(limiter: RateLimiter, tries: int) -> int:
    return sum(limiter.allows() for _ in range(tries))


def test_a_burst_passes_and_no_more() -> None:
    assert allowed(RateLimiter(1.0, 3, Clock()), 10) == 3


def test_one_more_passes_after_each_interval() -> None:
    clock = Clock()
    limiter = RateLimiter(2.0, 3, clock)
    allowed(limiter, 10)
    clock.time += 4.5
    assert allowed(limiter, 10) == 2


def test_the_bucket_does_not_overflow() -> None:
    clock = Clock()
    limiter = RateLimiter(1.0, 3, clock)
    clock.time += 1000
    assert allowed(limiter, 10) == 3
