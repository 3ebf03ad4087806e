"""Holding and dropping blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from storegate import NotFoundError
from storegate.block.block import Block
from storegate.block.loader import BlockLoader
from storegate.block.meta import parse_meta
from storegate.metrics import Metrics


@pytest.fixture
def block(bucket: Any, data_dir: Path, metrics: Metrics) -> Block:
    ulid = bucket.put_block(1)
    meta = parse_meta(bucket.inner.get(f"{ulid}/meta.json"), ulid)
    settings = SimpleNamespace(lazy=False, lazy_download=False, sampling=32)
    return BlockLoader(bucket.store, data_dir, settings, metrics).open(meta)


def test_a_dropped_block_stays_readable_for_its_holders(block: Block) -> None:
    assert block.acquire()
    block.drop()
    with block.header() as header:
        assert header.label_names() == [b"__name__"]
    block.release()
    assert not block.header_loaded


def test_a_dropped_block_takes_no_more_holders(block: Block) -> None:
    assert not block.dropped
    block.drop()
    assert block.dropped
    assert not block.acquire()


def test_it_closes_with_the_last_of_several_holders(block: Block) -> None:
    assert block.acquire()
    assert block.acquire()
    block.drop()
    block.release()
    assert block.header_loaded
    block.release()
    assert not block.header_loaded


def test_a_block_that_nobody_holds_closes_at_once(block: Block) -> None:
    block.drop()
    block.drop()
    assert not block.header_loaded
    with pytest.raises(NotFoundError), block.header():
        pass


def test_a_release_before_the_drop_does_not_close(block: Block) -> None:
    assert block.acquire()
    block.release()
    assert block.header_loaded


def test_a_failure_to_close_is_counted(
    block: Block, monkeypatch: pytest.MonkeyPatch, sample: Callable[..., float | None]
) -> None:
    def fail() -> None:
        raise OSError("boom")

    monkeypatch.setattr(block._header, "close", fail)
    block.drop()
    assert sample("thanos_bucket_store_block_drop_failures_total") == 1


def test_holders_on_many_threads_never_see_a_closed_block(block: Block) -> None:
    failures: list[BaseException] = []
    begin = threading.Barrier(5)

    def hold() -> None:
        begin.wait()
        while block.acquire():
            try:
                with block.header() as header:
                    header.label_names()
            except BaseException as error:
                failures.append(error)
            finally:
                block.release()

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    begin.wait()
    block.drop()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not block.header_loaded


def test_its_text_names_it(block: Block) -> None:
    assert block.meta.ulid in repr(block)
