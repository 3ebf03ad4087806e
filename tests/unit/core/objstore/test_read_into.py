"""`read_into` for stores that have none."""

from __future__ import annotations

from typing import Any

from storegate.objstore import read_into_of
from storegate.testing.memory_store import MemoryStore


def test_a_store_that_can_fill_buffers_does_so_itself(filling: Any) -> None:
    store = filling({"key": b"0123456789"})
    buffer = bytearray(4)
    assert read_into_of(store)("key", 3, memoryview(buffer)) == 4
    assert (bytes(buffer), store.filled) == (b"3456", 1)


def test_other_stores_are_copied_from() -> None:
    buffer = bytearray(b"....")
    assert read_into_of(MemoryStore({"key": b"0123456789"}))("key", 8, memoryview(buffer)) == 2
    assert bytes(buffer) == b"89.."


def test_a_buffer_of_wider_items_counts_in_bytes() -> None:
    buffer = memoryview(bytearray(8)).cast("I")
    assert read_into_of(MemoryStore({"key": b"0123456789"}))("key", 0, buffer) == 8
    assert buffer.tobytes() == b"01234567"
