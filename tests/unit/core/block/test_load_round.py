"""Attempts to open blocks."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from storegate import BlockMeta, CancelledError, CorruptError
from storegate.block.block import Block
from storegate.block.load_round import LoadRound

METAS = [BlockMeta(ulid=name, min_time=0, max_time=1) for name in "abc"]


class FakeBlock:
    dropped = False

    def drop(self) -> None:
        self.dropped = True


def open_fake(meta: BlockMeta) -> Block:
    if meta.ulid == "b":
        raise CorruptError("bad")
    return cast(Block, FakeBlock())


def test_what_loads_and_what_fails_is_kept_apart() -> None:
    round_ = LoadRound(open_fake, 2, threading.Event())
    assert not round_.load(METAS)
    assert set(round_.loaded) == {"a", "c"}
    assert {ulid: str(error) for ulid, (_, error) in round_.failed.items()} == {"b": "bad"}
    assert [round_.tried(ulid) for ulid in "abx"] == [True, True, False]


def test_a_later_load_is_judged_by_its_own_blocks() -> None:
    round_ = LoadRound(open_fake, 2, threading.Event())
    assert not round_.load(METAS[1:2])
    assert round_.load(METAS[2:])
    assert round_.load([])


def test_an_unexpected_exception_is_a_failure_of_that_block_alone() -> None:
    def open_badly(meta: BlockMeta) -> Block:
        if meta.ulid == "a":
            raise TypeError("a bug")
        return open_fake(meta)

    round_ = LoadRound(open_badly, 1, threading.Event())
    round_.load(METAS)
    assert str(round_.failed["a"][1]) == "TypeError: a bug"
    assert set(round_.loaded) == {"c"}


def test_stopping_cancels_what_has_not_begun() -> None:
    stopping = threading.Event()

    def open_and_stop(meta: BlockMeta) -> Any:
        stopping.set()
        return FakeBlock()

    round_ = LoadRound(open_and_stop, 1, stopping)
    with pytest.raises(CancelledError):
        round_.load(METAS)
    assert set(round_.loaded) == {"a"}
    round_.abandon()
    assert cast(FakeBlock, round_.loaded["a"]).dropped


def test_blocks_load_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=30)

    def open_together(meta: BlockMeta) -> Any:
        meeting.wait()
        return FakeBlock()

    assert LoadRound(open_together, 3, threading.Event()).load(METAS)
