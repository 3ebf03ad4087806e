"""A caching bucket and the bucket behind it give the same bytes, whatever the cache kept, lost or spoilt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from storegate.cache.guard import GuardedCache
from storegate.query.call import Call
from storegate.reads import Read, Reader, new_arena
from storegate.testing.cache_faults import FaultyCache
from storegate.testing.memory_store import MemoryStore

from .conftest import BLOCK, CHUNKS, META, cached

OTHER = f"{BLOCK}/chunks/000002"
INDEX = f"{BLOCK}/index"
SIZE = 400

ranges = st.lists(
    st.tuples(st.sampled_from((CHUNKS, OTHER, INDEX)), st.integers(0, SIZE + 20), st.integers(0, SIZE)),
    min_size=1,
    max_size=6,
)
damages: Sequence[Callable[[bytes], bytes]] = (
    lambda value: value[:-1],
    lambda value: value + b"x",
    lambda value: b"",
    lambda value: bytes([value[0] ^ 1]) + value[1:] if value else value,
    lambda value: value[:-1] + bytes([value[-1] ^ 0x80]) if value else value,
)


@pytest.fixture(scope="module")
def pool() -> Any:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def spoil(cache: FaultyCache, data: st.DataObject) -> None:
    """Lose, damage or exchange some of what is stored."""
    keys = sorted(cache.values)
    if not keys:
        return
    for key in data.draw(st.lists(st.sampled_from(keys), max_size=4, unique=True), label="spoilt"):
        what = data.draw(st.sampled_from(("lost", "damaged", "exchanged")))
        if what == "lost":
            cache.values.pop(key)
        elif what == "damaged":
            cache.values[key] = data.draw(st.sampled_from(damages))(cache.values[key])
        elif other := [key for key in keys if key in cache.values]:
            cache.values[key] = cache.values[data.draw(st.sampled_from(other))]


@given(
    sizes=st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)),
    step=st.integers(1, 60),
    most=st.integers(-1, 4),
    listed=st.booleans(),
    batches=st.lists(ranges, min_size=1, max_size=4),
    data=st.data(),
)
def test_ranges_are_those_of_the_bucket(
    pool: ThreadPoolExecutor, sizes: tuple[int, int], step: int, most: int, listed: bool, batches: Any, data: Any
) -> None:
    contents = {CHUNKS: bytes(i % 251 for i in range(sizes[0])), OTHER: bytes(i % 241 for i in range(sizes[1]))}
    inner = MemoryStore({**contents, INDEX: contents[CHUNKS]})
    stored = FaultyCache()
    guarded = GuardedCache(stored, name="caching-bucket", registry=CollectorRegistry())
    made = cached(inner, guarded, chunk_subrange_size=step, max_chunks_get_range_requests=most)
    try:
        for batch in batches:
            if data.draw(st.booleans(), label="another process"):
                made = made.again(chunk_subrange_size=step, max_chunks_get_range_requests=most)
            if listed:
                list(made.bucket.list(f"{BLOCK}/chunks/"))
            reads = [Read(key, offset, new_arena(length)) for key, offset, length in batch]
            Reader(made.store, pool, made.bucket.subranges).run(reads, Call())
            for read, (key, offset, length) in zip(reads, batch, strict=True):
                expected = inner.get_range(key, offset, length)
                assert bytes(read.buffer[: read.got]) == expected
                assert made.bucket.get_range(key, offset, length) == expected
            assert guarded.flush(10)
            spoil(stored, data)
    finally:
        guarded.close()


@given(st.data())
def test_files_and_listings_are_those_of_the_bucket(data: Any) -> None:
    inner = MemoryStore({META: b'{"version": 1}', CHUNKS: b"x" * 30})
    stored = FaultyCache()
    made = cached(inner, stored)
    for _ in range(data.draw(st.integers(1, 5))):
        if data.draw(st.booleans(), label="another process"):
            made = made.again()
        recursive = data.draw(st.booleans(), label="recursive")
        assert list(made.bucket.list(recursive=recursive)) == list(inner.list(recursive=recursive))
        assert made.bucket.get(META) == inner.get(META)
        assert made.bucket.head(META).size == 14
        assert made.bucket.head(CHUNKS).size == 30
        for key in data.draw(st.lists(st.sampled_from(sorted(stored.values)), max_size=3, unique=True)):
            stored.values[key] = data.draw(st.sampled_from(damages))(stored.values[key])
