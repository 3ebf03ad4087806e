"""Reading and writing objects of a FILESYSTEM bucket."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from storegate import ConfigurationError, DeniedError, NotFoundError, SupportsReadInto, UnavailableError
from storegate_filesystem.store import FilesystemStore

OUTSIDE = ("../secret", "a/../../secret", "/etc/passwd", "a//b", "./a", "", "a/", "a\0b", "out", "folder/out")


def test_a_folder_that_does_not_exist_is_a_configuration_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing.*create it"):
        FilesystemStore(str(tmp_path / "missing"))


def test_the_name_is_the_absolute_folder(bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bucket.parent)
    assert FilesystemStore("bucket").name == f"fs: {bucket}"


def test_an_object_is_read_whole_and_in_ranges(bucket: Path, store: FilesystemStore) -> None:
    (bucket / "object").write_bytes(b"0123456789")
    assert store.get("object") == b"0123456789"
    assert store.get_range("object", 3, 4) == b"3456"
    assert store.get_range("object", 8, 100) == b"89"
    assert store.get_range("object", 10, 5) == b""
    assert store.get_range("object", 99, 5) == b""
    assert store.get_range("object", 0, 0) == b""


def test_read_into_fills_the_buffer_as_far_as_the_object_goes(bucket: Path, store: FilesystemStore) -> None:
    (bucket / "object").write_bytes(b"0123456789")
    buffer = bytearray(6)
    assert isinstance(store, SupportsReadInto)
    assert store.read_into("object", 2, memoryview(buffer)) == 6
    assert buffer == b"234567"
    assert store.read_into("object", 7, memoryview(buffer)) == 3
    assert buffer[:3] == b"789"
    assert store.read_into("object", 50, memoryview(buffer)) == 0


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1)])
def test_negative_ranges_are_a_mistake_of_the_caller(
    bucket: Path, store: FilesystemStore, offset: int, length: int
) -> None:
    (bucket / "object").write_bytes(b"x")
    with pytest.raises(ValueError, match="must not be negative"):
        store.get_range("object", offset, length)


def test_head_tells_size_and_time(bucket: Path, store: FilesystemStore) -> None:
    (bucket / "object").write_bytes(b"12345")
    os.utime(bucket / "object", ns=(0, 1_500_000_000_999_999_999))
    info = store.head("object")
    assert (info.key, info.size, info.modified) == ("object", 5, 1_500_000_000_999)


@pytest.mark.parametrize("key", ["absent", "absent/deep", "folder", "file/below", "x" * 300])
def test_what_is_no_file_is_not_found(bucket: Path, store: FilesystemStore, key: str) -> None:
    (bucket / "folder").mkdir()
    (bucket / "file").write_bytes(b"")
    for read in (store.head, store.get, store.delete, lambda key: store.get_range(key, 0, 1)):
        with pytest.raises(NotFoundError, match=r"no object"):
            read(key)


def test_a_pipe_is_no_object_and_holds_no_reader_up(bucket: Path, store: FilesystemStore) -> None:
    os.mkfifo(bucket / "pipe")
    with pytest.raises(NotFoundError):
        store.get("pipe")


@pytest.mark.parametrize("key", OUTSIDE)
def test_no_key_leads_out_of_the_folder(tmp_path: Path, bucket: Path, store: FilesystemStore, key: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (bucket / "folder").mkdir()
    (bucket / "out").symlink_to(tmp_path / "secret")
    (bucket / "folder/out").symlink_to("../../secret")
    for use in (store.head, store.get, store.delete, lambda key: store.put(key, b"x")):
        with pytest.raises(DeniedError):
            use(key)
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_a_folder_symlink_out_of_the_bucket_is_refused(tmp_path: Path, bucket: Path, store: FilesystemStore) -> None:
    (tmp_path / "bucket-other").mkdir()
    (bucket / "link").symlink_to(tmp_path / "bucket-other")
    with pytest.raises(DeniedError):
        store.put("link/new", b"x")
    assert list((tmp_path / "bucket-other").iterdir()) == []


def test_a_bucket_may_itself_lie_behind_a_symlink(tmp_path: Path, bucket: Path) -> None:
    (tmp_path / "link").symlink_to(bucket)
    (bucket / "object").write_bytes(b"x")
    store = FilesystemStore(str(tmp_path / "link"))
    assert store.get("object") == b"x"
    assert [info.key for info in store.list()] == ["object"]


def test_put_makes_folders_and_replaces(bucket: Path, store: FilesystemStore) -> None:
    store.put("a/b/object", b"one")
    store.put("a/b/object", b"two")
    assert (bucket / "a/b/object").read_bytes() == b"two"
    assert [path.name for path in (bucket / "a/b").iterdir()] == ["object"]


def test_a_put_that_fails_leaves_the_old_object_and_no_debris(
    bucket: Path, store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("object", b"old")

    def no_space(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(UnavailableError, match="No space left"):
        store.put("object", b"new")
    assert [(path.name, path.read_bytes()) for path in bucket.iterdir()] == [("object", b"old")]


@pytest.mark.parametrize("key", ["folder", "file/below", ".storegate-put-x"])
def test_a_put_to_a_name_that_cannot_be_is_denied(bucket: Path, store: FilesystemStore, key: str) -> None:
    (bucket / "folder").mkdir()
    (bucket / "file").write_bytes(b"")
    with pytest.raises(DeniedError):
        store.put(key, b"x")


def test_delete_removes_the_object_and_the_folders_that_become_empty(bucket: Path, store: FilesystemStore) -> None:
    store.put("a/b/one", b"x")
    store.put("a/two", b"x")
    store.delete("a/b/one")
    assert [path.name for path in (bucket / "a").iterdir()] == ["two"]
    store.delete("a/two")
    assert list(bucket.iterdir()) == []


def test_deleting_a_symlink_leaves_its_target(bucket: Path, store: FilesystemStore) -> None:
    store.put("real", b"x")
    (bucket / "link").symlink_to("real")
    store.delete("link")
    assert [path.name for path in bucket.iterdir()] == ["real"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EACCES, DeniedError),
        (errno.EPERM, DeniedError),
        (errno.ELOOP, DeniedError),
        (errno.EIO, UnavailableError),
        (errno.ESTALE, UnavailableError),
        (errno.EMFILE, UnavailableError),
        (errno.ENOENT, NotFoundError),
    ],
)
def test_errors_of_the_system_are_translated_and_name_the_object(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    store.put("object", b"x")

    def fail(*args: object, **kwargs: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(expected, match="'object'"):
        store.get("object")


def test_many_threads_read_the_same_segment_at_once(store: FilesystemStore) -> None:
    data = bytes(range(256)) * 64
    store.put("block/chunks/000001", data)
    wrong: list[int] = []

    def read(thread: int) -> None:
        for i in range(200):
            offset = (thread * 37 + i * 61) % len(data)
            if store.get_range("block/chunks/000001", offset, 100) != data[offset : offset + 100]:
                wrong.append(offset)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
