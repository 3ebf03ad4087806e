"""Listings: order, folders, prefixes, pages, sizes and times."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from storegate.testing.object_store_suite.fixtures import Suite, fill
from storegate.types import ObjectInfo, ObjectStore, SupportsListPage

TREE = ("a", "a.b", "a/1", "a/2/x", "a/2/y", "a0", "ab/1", "B", "b/deep/er/still", "é")
MINUTE = 60_000  # ms


class ListTests(Suite):
    """`list`, and `list_page` where there is one."""

    def test_a_recursive_listing_holds_all_objects_in_key_order(
        self, store: ObjectStore, writer: ObjectStore, folder: str
    ) -> None:
        fill(writer, {folder + name: b"x" for name in TREE if name != "a"})
        listed = keys(store.list(folder, recursive=True))
        assert listed == [folder + name for name in sorted(TREE) if name != "a"]

    def test_a_flat_listing_holds_objects_and_folders_in_key_order(
        self, store: ObjectStore, writer: ObjectStore, folder: str
    ) -> None:
        fill(writer, {folder + name: b"x" for name in TREE if name != "a"})
        expected = ["B", "a.b", "a/", "a0", "ab/", "b/", "é"]
        assert keys(store.list(folder)) == [folder + name for name in expected]

    def test_a_folder_has_no_size(self, store: ObjectStore, writer: ObjectStore, folder: str) -> None:
        writer.put(folder + "sub/object", b"x")
        assert list(store.list(folder)) == [ObjectInfo(key=folder + "sub/")]

    def test_the_root_is_listed(self, store: ObjectStore, writer: ObjectStore, folder: str) -> None:
        writer.put(folder + "object", b"x")
        assert folder in keys(store.list())
        assert folder + "object" in keys(store.list(recursive=True))

    def test_a_prefix_under_which_nothing_lies_yields_nothing(self, store: ObjectStore, folder: str) -> None:
        assert list(store.list(folder)) == list(store.list(folder, recursive=True)) == []

    def test_a_prefix_ends_at_its_slash(self, store: ObjectStore, writer: ObjectStore, folder: str) -> None:
        fill(writer, {folder + name: b"x" for name in ("ab/1", "abc/2", "ab-")})
        assert keys(store.list(folder + "ab/", recursive=True)) == [folder + "ab/1"]

    def test_entries_tell_size_and_time(self, store: ObjectStore, writer: ObjectStore, folder: str) -> None:
        fill(writer, {folder + str(size): b"x" * size for size in (0, 1, 5000)})
        entries = list(store.list(folder, recursive=True))
        now = time.time_ns() // 1_000_000
        assert [entry.size for entry in entries] == [0, 1, 5000]
        assert all(entry.modified is not None and abs(entry.modified - now) < MINUTE for entry in entries)

    def test_a_flat_listing_tells_size_and_time_of_objects(
        self, store: ObjectStore, writer: ObjectStore, folder: str
    ) -> None:
        writer.put(folder + "object", b"12345")
        (entry,) = store.list(folder)
        assert entry.size == 5
        assert entry.modified is not None

    def test_a_listing_goes_on_after_its_first_page(self, store: ObjectStore, crowded: tuple[str, list[str]]) -> None:
        prefix, expected = crowded
        assert keys(store.list(prefix, recursive=True)) == expected
        assert keys(store.list(prefix)) == expected

    def test_pages_make_up_the_listing(self, store: ObjectStore, crowded: tuple[str, list[str]]) -> None:
        prefix, expected = crowded
        if isinstance(store, SupportsListPage):
            assert keys(all_pages(store, prefix)) == expected

    def test_odd_names_are_listed(self, store: ObjectStore, writer: ObjectStore, folder: str) -> None:
        expected = {f"{folder}{name}/{name}" for name in self.odd_names}
        fill(writer, dict.fromkeys(expected, b"x"))
        assert set(keys(store.list(folder, recursive=True))) == expected
        assert set(keys(store.list(folder))) == {f"{folder}{name}/" for name in self.odd_names}
        for name in self.odd_names:
            assert keys(store.list(f"{folder}{name}/")) == [f"{folder}{name}/{name}"]

    def test_many_threads_list_at_once(self, store: ObjectStore, writer: ObjectStore, folder: str) -> None:
        names = [f"{folder}{i}/object" for i in range(8)]
        fill(writer, dict.fromkeys(names, b"x"))
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda name: keys(store.list(name[: -len("object")])), names)) == [[n] for n in names]


def keys(entries: Iterable[ObjectInfo]) -> list[str]:
    return [entry.key for entry in entries]


def all_pages(store: SupportsListPage, prefix: str) -> list[ObjectInfo]:
    page = store.list_page(prefix, None, recursive=True)
    entries = list(page.entries)
    while page.token is not None:
        page = store.list_page(prefix, page.token, recursive=True)
        entries += page.entries
    return entries
