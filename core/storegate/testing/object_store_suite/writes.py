"""Putting and deleting."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from storegate.errors import NotFoundError
from storegate.testing.object_store_suite.fixtures import SMALL, Suite
from storegate.types import ObjectStore


class WriteTests(Suite):
    """`put` and `delete`."""

    def test_the_store_says_that_it_can_write(self, store: ObjectStore) -> None:
        assert store.writable is True

    @pytest.mark.parametrize("replacement", [b"", b"short", SMALL * 3])
    def test_a_put_replaces_the_whole_object(self, store: ObjectStore, folder: str, replacement: bytes) -> None:
        store.put(folder + "object", SMALL)
        store.put(folder + "object", replacement)
        assert store.get(folder + "object") == replacement
        assert [entry.size for entry in store.list(folder)] == [len(replacement)]

    def test_one_of_several_puts_at_once_wins_whole(self, store: ObjectStore, folder: str) -> None:
        contents = [bytes([number]) * 100_000 for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda data: store.put(folder + "object", data), contents))
        assert store.get(folder + "object") in contents

    def test_a_deleted_object_is_gone(self, store: ObjectStore, folder: str) -> None:
        store.put(folder + "object", SMALL)
        store.delete(folder + "object")
        assert list(store.list(folder, recursive=True)) == []
        with pytest.raises(NotFoundError):
            store.get(folder + "object")

    def test_a_delete_leaves_its_neighbours(self, store: ObjectStore, folder: str) -> None:
        for name in ("a", "ab", "a-/b"):
            store.put(folder + name, SMALL)
        store.delete(folder + "a")
        assert [entry.key for entry in store.list(folder, recursive=True)] == [folder + "a-/b", folder + "ab"]

    def test_a_delete_of_what_is_not_there_is_not_found(self, store: ObjectStore, folder: str) -> None:
        with pytest.raises(NotFoundError):
            store.delete(folder + "absent")

    def test_an_object_can_be_put_again_after_its_end(self, store: ObjectStore, folder: str) -> None:
        store.put(folder + "sub/object", b"first")
        store.delete(folder + "sub/object")
        store.put(folder + "sub/object", b"second")
        assert store.get_range(folder + "sub/object", 0, 100) == b"second"

    def test_odd_names_are_deleted(self, store: ObjectStore, folder: str) -> None:
        for name in self.odd_names:
            store.put(folder + name, b"x")
            store.delete(folder + name)
        assert list(store.list(folder)) == []
