"""Reading objects: whole, in part, from many threads, and such as are not there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from storegate.errors import NotFoundError
from storegate.objstore import read_into_of
from storegate.testing.object_store_suite.fixtures import LARGE, SMALL, Suite, fill
from storegate.types import ObjectStore

Reads = dict[str, Callable[[ObjectStore, str], object]]

RANGES = [
    pytest.param(0, 10, id="start"),
    pytest.param(100, 200, id="middle"),
    pytest.param(0, len(SMALL), id="whole"),
    pytest.param(len(SMALL) - 7, 7, id="last bytes"),
    pytest.param(len(SMALL) - 7, 100, id="over the end"),
    pytest.param(len(SMALL), 10, id="at the end"),
    pytest.param(len(SMALL) + 1000, 10, id="beyond the end"),
    pytest.param(0, 10 * len(SMALL), id="more than there is"),
    pytest.param(5, 1, id="one byte"),
    pytest.param(5, 0, id="no bytes"),
]

READS: Reads = {
    "head": lambda store, key: store.head(key),
    "get": lambda store, key: store.get(key),
    "get_range": lambda store, key: store.get_range(key, 0, 10),
    "read_into": lambda store, key: read_into_of(store)(key, 0, memoryview(bytearray(10))),
}


class ReadTests(Suite):
    """`head`, `get`, `get_range`, `read_into`."""

    def test_the_store_has_a_name(self, store: ObjectStore) -> None:
        assert isinstance(store.name, str)
        assert store.name

    def test_get_gives_the_whole_object(self, store: ObjectStore, writer: ObjectStore, folder: str) -> None:
        writer.put(folder + "object", SMALL)
        assert store.get(folder + "object") == SMALL

    def test_an_empty_object_is_read(self, store: ObjectStore, writer: ObjectStore, folder: str) -> None:
        key = folder + "empty"
        writer.put(key, b"")
        assert (store.get(key), store.get_range(key, 0, 10), store.head(key).size) == (b"", b"", 0)

    def test_a_large_object_is_read_whole(self, store: ObjectStore, large: tuple[str, bytes]) -> None:
        key, data = large
        assert store.get(key) == data
        assert store.head(key).size == LARGE

    @pytest.mark.parametrize(("offset", "length"), RANGES)
    def test_a_range_ends_where_the_object_ends(
        self, store: ObjectStore, writer: ObjectStore, folder: str, offset: int, length: int
    ) -> None:
        writer.put(folder + "object", SMALL)
        assert store.get_range(folder + "object", offset, length) == SMALL[offset : offset + length]

    @pytest.mark.parametrize(("offset", "length"), RANGES)
    def test_a_buffer_is_filled_as_far_as_the_object_goes(
        self, store: ObjectStore, writer: ObjectStore, folder: str, offset: int, length: int
    ) -> None:
        writer.put(folder + "object", SMALL)
        buffer = bytearray(length)
        got = read_into_of(store)(folder + "object", offset, memoryview(buffer))
        assert buffer[:got] == SMALL[offset : offset + length]

    @pytest.mark.parametrize("size", [1, 64 * 1024, 5 * 1024 * 1024 + 1])
    def test_a_range_of_a_large_object_is_exact(self, store: ObjectStore, large: tuple[str, bytes], size: int) -> None:
        key, data = large
        offset = LARGE // 3
        assert store.get_range(key, offset, size) == data[offset : offset + size]

    def test_head_tells_size_and_time_of_one_object(self, store: ObjectStore, writer: ObjectStore, folder: str) -> None:
        writer.put(folder + "object", SMALL)
        info = store.head(folder + "object")
        (listed,) = store.list(folder, recursive=True)
        assert (info.key, info.size) == (folder + "object", len(SMALL))
        assert info.modified is not None
        assert listed.modified is not None
        assert abs(info.modified - listed.modified) < 1000  # a header holds whole seconds

    @pytest.mark.parametrize("operation", READS)
    def test_what_is_not_there_is_not_found(self, store: ObjectStore, folder: str, operation: str) -> None:
        key = folder + "absent"
        with pytest.raises(NotFoundError) as caught:
            READS[operation](store, key)
        assert key in str(caught.value)

    @pytest.mark.parametrize("operation", READS)
    def test_a_folder_is_no_object(self, store: ObjectStore, writer: ObjectStore, folder: str, operation: str) -> None:
        writer.put(folder + "sub/object", SMALL)
        with pytest.raises(NotFoundError):
            READS[operation](store, folder + "sub")

    def test_odd_names_are_read(self, store: ObjectStore, writer: ObjectStore, folder: str) -> None:
        objects = {f"{folder}{name}": name.encode() for name in self.odd_names}
        fill(writer, objects)
        assert {key: store.get(key) for key in objects} == objects
        assert {key: store.get_range(key, 1, 3) for key in objects} == {key: data[1:4] for key, data in objects.items()}
        assert {key: store.head(key).size for key in objects} == {key: len(data) for key, data in objects.items()}

    def test_many_threads_read_at_once(self, store: ObjectStore, large: tuple[str, bytes]) -> None:
        key, data = large
        read_into = read_into_of(store)

        def read(number: int) -> bool:
            offset, size = number * 160_001, 20_000 + number
            buffer = bytearray(size)
            got = read_into(key, offset, memoryview(buffer))
            expected = data[offset : offset + size]
            return buffer[:got] == expected and store.get_range(key, offset, size) == expected

        with ThreadPoolExecutor(32) as pool:
            assert all(pool.map(read, range(128)))
