"""A data directory that takes nothing more.

A limit on the size of files stands for the full disk. The kernel fails writes as a full disk would, no mount and no
rights are needed, and the limit is set and lifted while the gateway runs.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from storegate.testing import write_block
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

BASE = 1_700_000_000_000  # ms
SERIES = 2000
FULL, ROOM = 8192, resource.RLIM_INFINITY  # bytes: an index-header has more, a meta and the log have less
REQUEST = rpc_pb2.SeriesRequest(
    min_time=BASE, max_time=BASE + 10**8, matchers=[{"name": "__name__", "value": "up"}], response_batch_size=64
)


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """Puts one more block into a bucket; its ULID."""
    made = iter(range(1, 100))

    def put(bucket: Path) -> str:
        folder, number = tmp_path_factory.mktemp("blocks"), next(made)
        series = [({"__name__": "up", "n": f"{n:05}"}, [(BASE + number, float(n))]) for n in range(SERIES)]
        ulid = write_block(folder, series, external_labels={"block": str(number)}, seed=number).ulid
        shutil.move(folder / ulid, bucket / ulid)
        return ulid

    return put


class Gateway:
    """A running gateway, its bucket and its data directory."""

    def __init__(self, store: Any, bucket: Path) -> None:
        self.store, self.bucket = store, bucket
        self.data_dir = next(store.log.parent.glob("data"))
        self._channel = grpc.insecure_channel(store.grpc_address)
        self._stub = rpc_pb2_grpc.StoreStub(self._channel)

    def limit(self, size: int) -> None:
        """The most bytes that a file of it may have from now on."""
        resource.prlimit(self.store.process.pid, resource.RLIMIT_FSIZE, (size, ROOM))

    def serves(self, blocks: int) -> None:
        """Wait until so many blocks are served, then ask for all their series."""
        until = time.monotonic() + 30
        while f"\nthanos_bucket_store_blocks_loaded {blocks}.0" not in self.store.get("/metrics")[1].decode():
            assert time.monotonic() < until, self.store.logged()
            time.sleep(0.05)
        answer = [series for frame in self._stub.Series(REQUEST, timeout=30) for series in frame.batch.series]
        assert len(answer) == blocks * SERIES

    def header(self, ulid: str) -> Path:
        return self.data_dir / ulid / "index-header"

    def close(self) -> None:
        self._channel.close()


@pytest.fixture
def gateway(start_store: Any, tmp_path: Path) -> Iterator[Gateway]:
    with start_store(tmp_path, ["--sync-block-duration=200ms"]) as store:
        gateway = Gateway(store, tmp_path)
        yield gateway
        gateway.close()


def test_blocks_are_served_from_memory_while_the_disk_is_full(gateway: Gateway, block: Callable[[Path], str]) -> None:
    gateway.limit(FULL)
    ulid = block(gateway.bucket)
    gateway.serves(1)
    assert not gateway.header(ulid).exists()
    assert "the data directory cannot hold an index-header" in gateway.store.logged()


def test_index_headers_are_kept_again_once_there_is_room(gateway: Gateway, block: Callable[[Path], str]) -> None:
    gateway.limit(FULL)
    block(gateway.bucket)
    gateway.serves(1)
    gateway.limit(ROOM)
    ulid = block(gateway.bucket)
    gateway.serves(2)
    assert gateway.header(ulid).is_file()


def test_blocks_that_are_served_already_do_not_mind_a_full_disk(gateway: Gateway, block: Callable[[Path], str]) -> None:
    block(gateway.bucket)
    gateway.serves(1)
    gateway.limit(FULL)
    gateway.serves(1)
