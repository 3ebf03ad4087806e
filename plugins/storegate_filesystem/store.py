"""A folder as a bucket."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress

from storegate import ConfigurationError, DeniedError, NotFoundError, ObjectInfo, PluginContext
from storegate_filesystem import FilesystemConfig
from storegate_filesystem.descriptors import Descriptors
from storegate_filesystem.errors import translated
from storegate_filesystem.listing import TEMPORARY, is_inside, object_info, walk

PUT_ATTEMPTS = 5


def open_store(config: FilesystemConfig, context: PluginContext) -> FilesystemStore:
    """Factory of the provider FILESYSTEM."""
    return FilesystemStore(os.fspath(config.directory))


class FilesystemStore:
    """Objects are the regular files below `directory`, keys their relative paths. Thread-safe.

    A key never leads out of the folder, neither by `..` nor by a symlink: that raises DeniedError. Writing is atomic: a
    temporary file beside the target, synced, then renamed. Raises ConfigurationError when the folder does not exist.
    """

    max_retries = 1
    """One attempt: an error of a local disk stays, and reads are done where a pause would hold up other queries."""

    def __init__(self, directory: str) -> None:
        self._root = os.path.realpath(directory)
        if not os.path.isdir(self._root):
            raise ConfigurationError(
                f"FILESYSTEM bucket: {directory!r} is not a folder; create it or set another `directory`"
            )
        self.name = f"fs: {os.path.abspath(directory)}"
        self.writable = os.access(self._root, os.W_OK | os.X_OK)
        self._descriptors = Descriptors(self._open)

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`. Descriptors of deleted files are given back on this occasion."""
        self._descriptors.sweep()
        if prefix and not prefix.endswith("/"):
            raise ValueError(f"a listing prefix is empty or ends with '/', not {prefix!r}")
        with translated(prefix, self._root):
            folder = os.path.join(self._root, *_segments(prefix[:-1], self._root)) if prefix else self._root
            real = os.path.realpath(folder)
            if real != folder and not is_inside(real, self._root):
                raise DeniedError(f"{prefix!r} leads out of {self._root!r} by a symlink")
            if real == folder:  # folders behind symlinks are not listed, neither from above nor by name
                yield from walk(folder, prefix, self._root, recursive=recursive)

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        with translated(key, self._root):
            info = os.stat(self._path(key))
            if not stat.S_ISREG(info.st_mode):
                raise NotFoundError(f"no object {key!r} in {self._root!r}")
            return object_info(key, info)

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        with translated(key, self._root), self._descriptors.use(key) as fd:
            return _read(fd, 0, os.fstat(fd).st_size)

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        if offset < 0 or length < 0:
            raise ValueError(f"{key!r}: offset {offset} and length {length} must not be negative")
        with translated(key, self._root), self._descriptors.use(key) as fd:
            return _read(fd, offset, min(length, max(0, os.fstat(fd).st_size - offset)))

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """See `storegate.SupportsReadInto`."""
        if offset < 0:
            raise ValueError(f"{key!r}: offset {offset} must not be negative")
        with translated(key, self._root), self._descriptors.use(key) as fd:
            view, done = buffer.cast("B"), 0
            while done < len(view) and (count := os.preadv(fd, [view[done:]], offset + done)):
                done += count
            return done

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`."""
        with translated(key, self._root):
            path = self._path(key)
            for attempt in range(1, PUT_ATTEMPTS + 1):
                try:
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    _write(path, data)
                    break
                except FileNotFoundError:  # a concurrent delete removed the emptied folder
                    if attempt == PUT_ATTEMPTS:
                        raise
                except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
                    raise DeniedError(f"cannot write {key!r} in {self._root!r}: {error.strerror}") from error
        self._descriptors.drop(key)

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`. Folders that become empty go as well."""
        with translated(key, self._root):
            path = os.path.join(self._root, *_segments(key, self._root))
            folder = os.path.dirname(self._path(key))
            if os.path.isdir(path):
                raise NotFoundError(f"no object {key!r} in {self._root!r}")
            os.unlink(path)
            self._descriptors.drop(key)
            with suppress(OSError):
                while folder != self._root and is_inside(folder, self._root):
                    os.rmdir(folder)
                    folder = os.path.dirname(folder)

    def close(self) -> None:
        """Close all files."""
        self._descriptors.close()

    def _open(self, key: str) -> int:
        """A descriptor of a regular file; non-blocking, so that a pipe in the bucket holds no reader up."""
        fd = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise NotFoundError(f"no object {key!r} in {self._root!r}")
        return fd

    def _path(self, key: str) -> str:
        """The resolved path of an object; DeniedError when it is not below the folder."""
        path = os.path.realpath(os.path.join(self._root, *_segments(key, self._root)))
        if not is_inside(path, self._root):
            raise DeniedError(f"{key!r} leads out of {self._root!r} by a symlink")
        return path


def _segments(key: str, root: str) -> list[str]:
    segments = key.split("/")
    if "" in segments or "." in segments or ".." in segments or "\0" in key:
        raise DeniedError(f"{key!r} is no key of {root!r}: keys are relative paths without '.' and '..'")
    if segments[-1].startswith(TEMPORARY):
        raise DeniedError(f"{key!r}: names that begin with {TEMPORARY!r} are reserved for uploads in progress")
    return segments


def _read(fd: int, offset: int, length: int) -> bytes:
    data = os.pread(fd, length, offset)
    if len(data) == length:
        return data
    parts = [data]  # rare: the kernel hands out at most 2 GiB at once, or the file shrank
    while parts[-1] and (missing := length - sum(map(len, parts))):
        parts.append(os.pread(fd, missing, offset + length - missing))
    return b"".join(parts)


def _write(path: str, data: bytes) -> None:
    """Replace the file at `path`, whole or not at all."""
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, f"{TEMPORARY}{secrets.token_hex(8)}")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
