"""What one request may cost."""

from __future__ import annotations

import pytest

from storegate.errors import LimitError
from storegate.query.limits import Limiter, Limits


def test_reaching_a_limit_is_allowed() -> None:
    exceeded: list[str] = []
    limiter = Limiter("series", 3, exceeded.append)
    limiter.reserve(1)
    limiter.reserve(2)
    assert exceeded == []


def test_amounts_of_several_blocks_add_up() -> None:
    limiter = Limiter("series", 3, [].append)
    limiter.reserve(2)
    with pytest.raises(LimitError, match=r"^exceeded series limit: limit 3 violated \(got 4\)$"):
        limiter.reserve(2)


def test_the_error_says_which_limit_was_passed() -> None:
    with pytest.raises(LimitError) as raised:
        Limiter("chunks", 3, [].append).reserve(5)
    assert (raised.value.limit, raised.value.allowed, raised.value.reached) == ("chunks", 3, 5)


def test_the_error_says_what_was_being_done() -> None:
    with pytest.raises(LimitError, match=r"^exceeded bytes limit while fetching chunks: limit 3 violated \(got 5\)$"):
        Limits(0, 0, 3, [].append).charge(5, "fetching chunks")


def test_only_the_first_violation_counts_as_a_dropped_query() -> None:
    exceeded: list[str] = []
    limiter = Limiter("series", 3, exceeded.append)
    for _ in range(3):
        with pytest.raises(LimitError):
            limiter.reserve(4)
    assert exceeded == ["series"]


def test_a_reservation_of_nothing_fails_once_the_limit_was_passed() -> None:
    limiter = Limiter("bytes", 3, [].append)
    with pytest.raises(LimitError):
        limiter.reserve(4)
    with pytest.raises(LimitError, match="got 4"):
        limiter.reserve(0)


@pytest.mark.parametrize("name", ["series", "chunks"])
def test_a_limit_of_zero_is_off(name: str) -> None:
    getattr(Limits(0, 0, 0, [].append), name).reserve(10**12)


def test_a_bytes_limit_of_zero_is_off() -> None:
    Limits(0, 0, 0, [].append).charge(10**12, "fetching chunks")


@pytest.mark.parametrize(("samples", "chunks"), [(120, 1), (239, 1), (240, 2), (1200, 10)])
def test_samples_count_as_whole_chunks_of_120(samples: int, chunks: int) -> None:
    limits = Limits(0, samples, 0, [].append)
    limits.chunks.reserve(chunks)
    with pytest.raises(LimitError, match=f"limit {chunks} violated"):
        limits.chunks.reserve(1)


def test_fewer_samples_than_a_chunk_holds_limit_nothing() -> None:
    Limits(0, 119, 0, [].append).chunks.reserve(10**6)


def test_each_limit_is_counted_under_its_own_name() -> None:
    exceeded: list[str] = []
    limits = Limits(1, 120, 1, exceeded.append)
    for reserve in (limits.series.reserve, limits.chunks.reserve, lambda amount: limits.charge(amount, "reading")):
        with pytest.raises(LimitError):
            reserve(2)
    assert exceeded == ["series", "chunks", "bytes"]
