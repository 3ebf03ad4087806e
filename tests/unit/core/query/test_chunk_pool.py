"""What the chunks of all queries may take together."""

from __future__ import annotations

from typing import Any

import pytest

from storegate.errors import UnavailableError
from storegate.query.chunk_pool import ChunkPool, PoolShare


def test_what_is_taken_counts_for_all() -> None:
    pool = ChunkPool(10)
    first, second = PoolShare(pool), PoolShare(pool)
    first.take(6)
    with pytest.raises(UnavailableError, match=r"allocate chunk bytes: pool exhausted: 5 bytes wanted, 6 of 10"):
        second.take(5)


def test_a_share_that_is_dropped_is_free_again() -> None:
    pool = ChunkPool(10)
    share = PoolShare(pool)
    share.take(4)
    share.take(6)
    del share
    assert pool.used == 0


def test_what_was_refused_is_not_counted() -> None:
    pool = ChunkPool(10)
    share = PoolShare(pool)
    with pytest.raises(UnavailableError):
        share.take(11)
    assert pool.used == 0


def test_without_a_limit_anything_goes() -> None:
    pool = ChunkPool(0)
    share = PoolShare(pool)
    share.take(1 << 60)
    assert pool.used == 1 << 60


def test_a_query_for_whose_chunks_there_is_no_room_fails_with_the_setting(make_engine: Any, up: Any) -> None:
    engine = make_engine(settings={"query": {"chunk_pool": 10}})
    engine.add(up(3))
    with pytest.raises(UnavailableError, match=r"pool exhausted: .*--chunk-pool-size") as raised:
        engine.series("n!=")
    assert raised.value.stage == "chunks"


def test_a_query_gives_back_what_its_chunks_took(make_engine: Any, up: Any) -> None:
    engine = make_engine(settings={"query": {"chunk_pool": 100_000}})
    engine.add(up(300, samples=5))
    assert len(engine.series("n!=")) == 300
    assert engine.shared.chunk_pool.used == 0


def test_a_query_that_is_ended_on_its_way_gives_back_too(engine: Any, up: Any) -> None:
    engine.add(up(3000))
    stream = engine.stream("n!=")
    while not next(stream):
        pass
    during = engine.shared.chunk_pool.used
    stream.close()
    del stream
    assert (during > 0, engine.shared.chunk_pool.used) == (True, 0)


def test_labels_alone_need_no_room(make_engine: Any, up: Any) -> None:
    engine = make_engine(settings={"query": {"chunk_pool": 1}})
    engine.add(up(3))
    assert len(engine.series("n!=", skip_chunks=True)) == 3


def test_chunks_that_are_read_again_count_too(make_engine: Any, up: Any) -> None:
    settings = {"query": {"chunk_size": 20, "chunk_pool": 100_000}}
    engine = make_engine(settings=settings)
    engine.add(up(2, samples=100), index_stats=False)
    engine.series("n!=")
    assert engine.finished.stats[-1].chunks_refetches > 0
    small = make_engine(settings={"query": {"chunk_size": 20, "chunk_pool": 100}})
    small.add(up(2, samples=100), index_stats=False)
    with pytest.raises(UnavailableError, match="pool exhausted"):
        small.series("n!=")
