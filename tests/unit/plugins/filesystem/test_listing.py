"""What a FILESYSTEM bucket lists."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from storegate import DeniedError, ObjectInfo
from storegate_filesystem.store import FilesystemStore


def write(path: Path, data: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def keys(store: FilesystemStore, prefix: str = "", *, recursive: bool = False) -> list[str]:
    return [info.key for info in store.list(prefix, recursive=recursive)]


def test_a_recursive_listing_shows_every_file_with_size_and_time(bucket: Path, store: FilesystemStore) -> None:
    write(bucket / "a/b/c", b"12345")
    os.utime(bucket / "a/b/c", ns=(0, 1_700_000_000_123_456_789))
    assert list(store.list(recursive=True)) == [ObjectInfo(key="a/b/c", size=5, modified=1_700_000_000_123)]


def test_a_flat_listing_shows_files_and_folders(bucket: Path, store: FilesystemStore) -> None:
    write(bucket / "folder/deep/file")
    write(bucket / "file")
    assert keys(store) == ["file", "folder/"]


def test_entries_are_in_key_order_where_a_folder_sorts_after_a_file_with_a_dot(
    bucket: Path, store: FilesystemStore
) -> None:
    for path in ("a/x", "a.b", "a0", "B", "ä", "a-b/x"):
        write(bucket / path)
    assert keys(store, recursive=True) == sorted(["a/x", "a.b", "a0", "B", "ä", "a-b/x"])
    assert keys(store) == sorted(["a/", "a.b", "a0", "B", "ä", "a-b/"])


def test_a_prefix_limits_the_listing(bucket: Path, store: FilesystemStore) -> None:
    for path in ("a/1", "a/b/2", "ab/3"):
        write(bucket / path)
    assert keys(store, "a/") == ["a/1", "a/b/"]
    assert keys(store, "a/", recursive=True) == ["a/1", "a/b/2"]


def test_a_prefix_under_which_nothing_lies_yields_nothing(bucket: Path, store: FilesystemStore) -> None:
    write(bucket / "file")
    assert keys(store, "nothing/") == []
    assert keys(store, "file/") == []


def test_empty_folders_are_invisible(bucket: Path, store: FilesystemStore) -> None:
    (bucket / "empty/inner").mkdir(parents=True)
    assert keys(store) == []
    assert keys(store, recursive=True) == []


def test_folders_behind_symlinks_are_not_followed(bucket: Path, store: FilesystemStore) -> None:
    write(bucket / "real/file")
    (bucket / "link").symlink_to(bucket / "real")
    assert keys(store) == ["real/"]
    assert keys(store, recursive=True) == ["real/file"]
    assert keys(store, "link/") == []


def test_a_symlink_to_a_file_of_the_bucket_is_an_object(bucket: Path, store: FilesystemStore) -> None:
    write(bucket / "real", b"12345")
    (bucket / "link").symlink_to("real")
    assert [(info.key, info.size) for info in store.list()] == [("link", 5), ("real", 5)]


def test_symlinks_out_of_the_folder_and_dangling_ones_are_invisible(
    tmp_path: Path, bucket: Path, store: FilesystemStore
) -> None:
    write(tmp_path / "secret")
    (bucket / "out").symlink_to(tmp_path / "secret")
    (bucket / "dangling").symlink_to("nothing")
    assert keys(store, recursive=True) == []


def test_uploads_in_progress_pipes_and_names_that_are_no_text_are_invisible(
    bucket: Path, store: FilesystemStore
) -> None:
    write(bucket / ".storegate-put-0123")
    os.mkfifo(bucket / "pipe")
    (Path(os.fsdecode(os.fsencode(bucket) + b"/\xff"))).write_bytes(b"")
    assert keys(store, recursive=True) == []


def test_a_prefix_that_leads_out_of_the_folder_is_refused(tmp_path: Path, bucket: Path, store: FilesystemStore) -> None:
    (tmp_path / "other").mkdir()
    (bucket / "out").symlink_to(tmp_path / "other")
    for prefix in ("../", "out/", "a/../../", "/", "a//"):
        with pytest.raises(DeniedError):
            list(store.list(prefix))


def test_a_prefix_without_a_slash_at_its_end_is_a_mistake_of_the_caller(store: FilesystemStore) -> None:
    with pytest.raises(ValueError, match="ends with '/'"):
        list(store.list("a"))
