"""Open files that are kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from storegate_filesystem.descriptors import Descriptors
from storegate_filesystem.store import FilesystemStore

INDEX = "01M8268BC42XJ6WSJRR1BG8C7Y/index"
SEGMENT = "01M8268BC42XJ6WSJRR1BG8C7Y/chunks/000001"


@pytest.fixture
def opened(tmp_path: Path) -> tuple[Callable[[str], int], list[str]]:
    """A function that opens a file of any name, and the names it opened."""
    names: list[str] = []

    def open_file(key: str) -> int:
        names.append(key)
        path = tmp_path / key.replace("/", "_")
        path.touch()
        return os.open(path, os.O_RDONLY)

    return open_file, names


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("key", [INDEX, SEGMENT, "index", "a/b/chunks/1234567"])
def test_files_of_a_block_stay_open(opened: tuple[Callable[[str], int], list[str]], key: str) -> None:
    descriptors = Descriptors(opened[0])
    for _ in range(3):
        with descriptors.use(key):
            pass
    assert opened[1] == [key]
    descriptors.close()


@pytest.mark.parametrize("key", ["a/meta.json", "a/deletion-mark.json", "a/index2", "a/chunks/00001", "my-index"])
def test_files_that_may_change_are_closed_at_once(opened: tuple[Callable[[str], int], list[str]], key: str) -> None:
    descriptors = Descriptors(opened[0])
    with descriptors.use(key) as fd:
        assert is_open(fd)
    assert not is_open(fd)
    assert len(descriptors) == 0


def test_the_least_recently_used_one_makes_room(opened: tuple[Callable[[str], int], list[str]]) -> None:
    descriptors = Descriptors(opened[0], capacity=2)
    for key in ("a/index", "b/index", "a/index", "c/index", "a/index", "b/index"):
        with descriptors.use(key):
            pass
    assert opened[1] == ["a/index", "b/index", "c/index", "b/index"]
    descriptors.close()


def test_one_in_use_is_closed_only_after_its_use(opened: tuple[Callable[[str], int], list[str]]) -> None:
    descriptors = Descriptors(opened[0])
    with descriptors.use(INDEX) as fd:
        descriptors.drop(INDEX)
        assert is_open(fd)
    assert not is_open(fd)


def test_a_failed_read_closes_it(opened: tuple[Callable[[str], int], list[str]]) -> None:
    descriptors = Descriptors(opened[0])
    with pytest.raises(OSError, match="boom"), descriptors.use(INDEX) as fd:
        raise OSError("boom")
    assert not is_open(fd)
    assert len(descriptors) == 0


def test_a_sweep_closes_idle_ones(opened: tuple[Callable[[str], int], list[str]]) -> None:
    descriptors = Descriptors(opened[0], idle=-1.0)
    with descriptors.use(INDEX) as fd:
        pass
    descriptors.sweep()
    assert not is_open(fd)


def test_closing_closes_all_and_keeps_none_afterwards(opened: tuple[Callable[[str], int], list[str]]) -> None:
    descriptors = Descriptors(opened[0])
    with descriptors.use(INDEX) as first:
        pass
    descriptors.close()
    with descriptors.use(INDEX) as second:
        assert is_open(second)
    assert not is_open(first)
    assert len(descriptors) == 0


def test_an_object_that_the_store_replaced_reads_as_the_new_one(store: FilesystemStore) -> None:
    store.put(INDEX, b"old")
    assert store.get(INDEX) == b"old"
    store.put(INDEX, b"new one")
    assert store.get(INDEX) == b"new one"


def test_a_file_that_somebody_replaced_reads_as_the_new_one_after_the_next_listing(
    bucket: Path, store: FilesystemStore
) -> None:
    store.put(INDEX, b"old")
    store.get(INDEX)
    (bucket / "new").write_bytes(b"new one")
    (bucket / "new").rename(bucket / INDEX)
    list(store.list(recursive=True))
    assert store.get(INDEX) == b"new one"


def test_a_deleted_object_is_not_found_although_it_was_open(store: FilesystemStore) -> None:
    store.put(SEGMENT, b"data")
    store.get(SEGMENT)
    store.delete(SEGMENT)
    with pytest.raises(FileNotFoundError):
        store.get(SEGMENT)
