"""A folder of a bucket as a bucket."""

from __future__ import annotations

from typing import Any

import pytest

from storegate import ObjectInfo, SupportsReadInto
from storegate.objstore import PrefixedStore, with_prefix
from storegate.testing.memory_store import MemoryStore


@pytest.mark.parametrize("prefix", ["", "/", "//"])
def test_an_empty_prefix_is_the_store_itself(prefix: str) -> None:
    store = MemoryStore()
    assert with_prefix(store, prefix) is store


@pytest.mark.parametrize("prefix", ["tenant/a", "/tenant/a/", "tenant/a/"])
def test_keys_lie_below_the_prefix(prefix: str) -> None:
    inner = MemoryStore()
    store = with_prefix(inner, prefix)
    store.put("x/y", b"0123456789")
    assert [info.key for info in inner.list(recursive=True)] == ["tenant/a/x/y"]
    assert store.get("x/y") == b"0123456789"
    assert store.get_range("x/y", 2, 3) == b"234"
    assert store.head("x/y") == ObjectInfo(key="x/y", size=10, modified=inner.head("tenant/a/x/y").modified)
    store.delete("x/y")
    assert list(inner.list()) == []


def test_a_prefixed_listing_shows_what_is_below_and_nothing_beside() -> None:
    inner = MemoryStore({"p/a": b"1", "p/b/c": b"2", "p2/d": b"3", "e": b"4"})
    store = PrefixedStore(inner, "p")
    assert [info.key for info in store.list()] == ["a", "b/"]
    assert [info.key for info in store.list(recursive=True)] == ["a", "b/c"]
    assert [info.key for info in store.list("b/")] == ["b/c"]


def test_a_prefixed_store_fills_buffers_and_passes_on_the_rest(filling: Any) -> None:
    inner = filling({"p/key": b"0123456789"})
    store = PrefixedStore(inner, "p")
    buffer = bytearray(3)
    assert isinstance(store, SupportsReadInto)
    assert store.read_into("key", 1, memoryview(buffer)) == 3
    assert (bytes(buffer), inner.filled) == (b"123", 1)
    assert (store.name, store.writable) == ("memory", True)
    store.close()
    assert inner.closed
