"""A bucket whose objects have the times that a test gives them, and small blocks in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from storegate import ObjectInfo
from storegate.metrics import Metrics
from storegate.testing import write_block
from storegate.testing.faults import CountingStore, Fault, FaultyStore
from storegate.testing.memory_store import MemoryStore

NOW = 1_790_000_000_000
"""The time of the first test object, in ms; also that of the ULIDs."""


class TimedStore(MemoryStore):
    """A bucket in memory where each put is one second later than the one before, unless a test sets the time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = NOW
        self.times: dict[str, int | None] = {}

    def put(self, key: str, data: bytes) -> None:
        super().put(key, data)
        self.clock += 1000
        self.times[key] = self.clock

    def head(self, key: str) -> ObjectInfo:
        info = super().head(key)
        return ObjectInfo(key=key, size=info.size, modified=self.times[key])


@dataclass
class Bucket:
    """A bucket, with what tests do to it. `store` counts requests and has the `faults` that a test adds."""

    inner: TimedStore
    faults: FaultyStore
    store: CountingStore

    @staticmethod
    def ulid(number: int) -> str:
        """A ULID by number; a larger number is a larger ULID."""
        return f"01M3250V00{number:016d}"

    def put(self, key: str, data: bytes | dict[str, Any]) -> None:
        self.inner.put(key, data if isinstance(data, bytes) else json.dumps(data).encode())

    def put_meta(self, number: int, **members: Any) -> str:
        """A meta.json, valid but for the members given."""
        ulid = self.ulid(number)
        self.put(f"{ulid}/meta.json", {**self.meta(number), **members})
        return ulid

    def meta(self, number: int, **labels: str) -> dict[str, Any]:
        ulid = self.ulid(number)
        return {
            "ulid": ulid,
            "minTime": 0,
            "maxTime": 100,
            "version": 1,
            "compaction": {"level": 1, "sources": [ulid]},
            "thanos": {"labels": labels},
        }

    def put_mark(self, number: int, deletion_time: int = 1, version: int = 1) -> None:
        """A deletion mark; the time is in seconds."""
        ulid = self.ulid(number)
        mark = {"id": ulid, "version": version, "deletion_time": deletion_time}
        self.put(f"{ulid}/deletion-mark.json", mark)

    def put_block(self, number: int, **options: Any) -> str:
        """A whole block of one series; `options` are fields of BlockOptions."""
        ulid = self.ulid(number)
        write_block(self.inner, [({"__name__": "up"}, [(1000, 1.0), (2000, 1.0)])], ulid=ulid, **options)
        return ulid

    def delete(self, ulid: str, *paths: str) -> None:
        """Remove some objects of a block, or all."""
        for info in list(self.inner.list(f"{ulid}/", recursive=True)):
            if not paths or info.key.removeprefix(f"{ulid}/") in paths:
                self.inner.delete(info.key)

    def fail(self, key: str, error: Exception, operation: str = "*", times: int | None = None) -> None:
        """Let requests for a key (a shell pattern) fail."""
        self.faults.add(Fault(operation=operation, key=key, error=error, times=times))


@pytest.fixture
def bucket() -> Bucket:
    inner = TimedStore()
    faults = FaultyStore(inner)
    return Bucket(inner, faults, CountingStore(faults))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


@pytest.fixture
def sample(registry: CollectorRegistry) -> Callable[..., float | None]:
    """The value of a metric."""
    return lambda name, **labels: registry.get_sample_value(name, labels)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"
