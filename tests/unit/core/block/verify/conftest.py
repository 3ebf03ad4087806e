"""Blocks in memory, and what a verification says of them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from storegate.block.verify import Verdict, chunks, postings, series, source, verify_block
from storegate.testing import Histogram, ObviousBlock, RawChunk, read_index, write_block, write_block_raw
from storegate.testing.chunks import encode_xor
from storegate.testing.index_writer import section
from storegate.testing.memory_store import MemoryStore

CREATED = 1_700_000_000_000


class VerifiedBlock:
    """A block in a bucket of its own."""

    def __init__(self, ulid: str, store: MemoryStore) -> None:
        self.ulid = ulid
        self.store = store

    def get(self, path: str) -> bytes:
        return self.store.get(f"{self.ulid}/{path}")

    def put(self, path: str, data: bytes) -> None:
        self.store.put(f"{self.ulid}/{path}", data)

    def delete(self, path: str) -> None:
        self.store.delete(f"{self.ulid}/{path}")

    def paths(self) -> list[str]:
        return [info.key.removeprefix(f"{self.ulid}/") for info in self.store.list(f"{self.ulid}/", recursive=True)]

    def change_meta(self, change: Callable[[dict[str, Any]], None]) -> None:
        document = json.loads(self.get("meta.json"))
        change(document)
        self.put("meta.json", json.dumps(document).encode())

    def verify(self, **options: Any) -> Verdict:
        return verify_block(self.store, self.ulid, **options)

    def codes(self, **options: Any) -> list[tuple[str, str, str]]:
        """(severity, code, object) of each problem."""
        return [(one.severity, one.code, one.object) for one in self.verify(**options).problems]

    def obvious(self) -> ObviousBlock:
        """The block as the obvious reader sees it."""
        document = json.loads(self.get("meta.json"))
        segments = [self.get(path) for path in sorted(self.paths()) if path.startswith("chunks/")]
        return ObviousBlock(self.ulid, document, read_index(self.get("index")), segments)

    def meaning(self) -> Any:
        """All that a reader can learn from index and chunks. Raises CorruptError."""
        block = self.obvious()
        return [
            (one.labels, [(entry.min_time, entry.max_time, *block.chunk(entry)) for entry in one.chunks])
            for one in block.series()
        ], block.index.postings

    # --- damage under right checksums ---

    def list_at(self, name: str, value: str) -> int:
        """Where a postings list begins in the index."""
        return next(at for own, other, at in read_index(self.get("index")).table if (own, other) == (name, value))

    def change_list(self, name: str, value: str, change: Callable[[list[int]], list[int]]) -> int:
        """Replace the refs of a list by as many others, or fewer; where it lies."""
        data, at = bytearray(self.get("index")), self.list_at(name, value)
        count = int.from_bytes(data[at + 4 : at + 8], "big")
        refs = change(list(struct.unpack(f">{count}I", data[at + 8 : at + 8 + 4 * count])))
        changed = section(struct.pack(f">{len(refs) + 1}I", len(refs), *refs))
        data[at : at + len(changed)] = changed
        self.put("index", bytes(data))
        return at


def write(series_: Any = None, **options: Any) -> VerifiedBlock:
    """A block of a few series, or of those given."""
    store = MemoryStore()
    options = {"seed": 1, "created": CREATED, "external_labels": {"cluster": "x"}, **options}
    return VerifiedBlock(write_block(store, SERIES if series_ is None else series_, **options).ulid, store)


def write_raw(series_: Any, **options: Any) -> VerifiedBlock:
    """A block of ready chunks."""
    store = MemoryStore()
    written = write_block_raw(store, series_, **{"seed": 1, "created": CREATED, **options})
    return VerifiedBlock(written.ulid, store)


def xor(*times: int, min_time: int | None = None, max_time: int | None = None) -> RawChunk:
    """A chunk of floats at these times; the index may be told others."""
    data = encode_xor([(t, float(t)) for t in times])
    return RawChunk(times[0] if min_time is None else min_time, times[-1] if max_time is None else max_time, 1, data)


def _histograms(is_float: bool) -> list[tuple[int, Histogram]]:
    histograms = [(1000 * n, Histogram(n, 0, n / 3, 1, 0.3, ((0, 2),), ((1, 1),), (n, 1), (2,))) for n in range(5)]
    return [(t, one.to_float()) for t, one in histograms] if is_float else histograms


SERIES: Any = [
    *(
        ({"__name__": "up", "job": "a", "pod": f"p-{n}"}, [(1000 * t + n, float(t % 7)) for t in range(150)])
        for n in range(5)
    ),
    ({"__name__": "latency", "job": "a"}, _histograms(False)),
    ({"__name__": "latency", "job": "b"}, _histograms(True)),
]


@contextmanager
def tuned(part: int) -> Iterator[None]:
    """Read in windows so small that their edges are everywhere."""
    with (
        patch.object(source, "PART", part),
        patch.object(series, "PART", part),
        patch.object(postings, "PART", part),
        patch.object(chunks, "PART", part),
        patch.object(chunks, "TAIL", 8),
    ):
        yield


@pytest.fixture(scope="session")
def make() -> Callable[..., VerifiedBlock]:
    return write


@pytest.fixture(scope="session")
def make_raw() -> Callable[..., VerifiedBlock]:
    return write_raw


@pytest.fixture(scope="session")
def chunk() -> Callable[..., RawChunk]:
    return xor


@pytest.fixture(scope="session")
def small_windows() -> Callable[[int], Any]:
    return tuned
