"""A file system of fsspec as a bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import fsspec
from fsspec.spec import AbstractFileSystem

from storegate import (
    ConfigurationError,
    DeniedError,
    NotFoundError,
    ObjectInfo,
    PluginContext,
    StoregateError,
    UnavailableError,
)
from storegate_fsspec import FsspecConfig

_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
"""What file systems call the time of the last change."""


def open_store(config: FsspecConfig, context: PluginContext) -> FsspecStore:
    """Factory of the provider FSSPEC."""
    secrets = {name: value.get_secret_value() for name, value in config.secrets.items()}
    try:
        # Its own listings would be remembered, and new blocks never seen.
        options = {"use_listings_cache": False, **config.options, **secrets}
        system, root = fsspec.core.url_to_fs(config.url, **options)
    except ImportError as error:
        raise ConfigurationError(f"FSSPEC bucket {config.url!r}: {error}; install what its file system needs") from None
    except ValueError as error:
        raise ConfigurationError(f"FSSPEC bucket {config.url!r}: {error}") from None
    return FsspecStore(system, root, config.url, writable=not config.read_only)


class FsspecStore:
    """Objects are the files below `root`, keys their paths relative to it. As thread-safe as the file system."""

    def __init__(self, system: AbstractFileSystem, root: str, url: str, *, writable: bool) -> None:
        self._system = system
        self._root = root.rstrip("/")
        self.name = self.identity = url
        self.writable = writable

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`."""
        folder = self._path(prefix.rstrip("/")) if prefix else self._root
        with self._translated(prefix):
            try:
                if recursive:
                    found = list(self._system.find(folder, detail=True).values())
                else:
                    found = self._system.ls(folder or "/", detail=True)
            except FileNotFoundError:
                return
            entries = [self._entry(info) for info in found if info["name"].rstrip("/") != folder]
        yield from sorted(entries, key=lambda entry: entry.key.encode("utf-8", "surrogateescape"))

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        with self._translated(key):
            info = self._system.info(self._path(key))
            if info["type"] != "file":
                raise NotFoundError(f"no object {key!r} in {self.name!r}")
            return ObjectInfo(key=key, size=info.get("size"), modified=_modified(info))

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        with self._translated(key):
            return bytes(self._system.cat_file(self._path(key)))

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        if offset < 0 or length < 0:
            raise ValueError(f"{key!r}: offset {offset} and length {length} must not be negative")
        size = self.head(key).size
        end = offset + length if size is None else min(offset + length, size)
        if end <= offset:
            return b""
        with self._translated(key):
            data = bytes(self._system.cat_file(self._path(key), start=offset, end=end))
        if len(data) != end - offset and size is not None:
            raise UnavailableError(f"{key!r} in {self.name!r}: {len(data)} bytes came instead of {end - offset}")
        return data

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`. Whole or not at all where the file system is so."""
        if not self.writable:
            raise DeniedError(f"{self.name!r} is read_only: {key!r} is not written")
        path = self._path(key)
        with self._translated(key):
            with suppress(FileExistsError, NotImplementedError):
                self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(path, data)

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`."""
        if not self.writable:
            raise DeniedError(f"{self.name!r} is read_only: {key!r} is not deleted")
        self.head(key)
        with self._translated(key):
            self._system.rm_file(self._path(key))

    def close(self) -> None:
        """Nothing is held open."""

    def _path(self, key: str) -> str:
        if not key or any(part in ("", ".", "..") for part in key.split("/")):
            raise NotFoundError(f"{key!r} is no key of an object in {self.name!r}")
        return f"{self._root}/{key}"

    def _entry(self, info: Mapping[str, Any]) -> ObjectInfo:
        key = info["name"].rstrip("/").removeprefix(self._root).lstrip("/")
        if info["type"] == "directory":
            return ObjectInfo(key=key + "/")
        return ObjectInfo(key=key, size=info.get("size"), modified=_modified(info))

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        """Errors of whatever kind become storegate's; their texts may hold credentials and are left out."""
        try:
            yield
        except StoregateError:
            raise
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise NotFoundError(f"no object {key!r} in {self.name!r}") from error
        except PermissionError as error:
            raise DeniedError(f"no access to {key!r} in {self.name!r}: check the secrets of the bucket") from error
        except Exception as error:
            raise UnavailableError(f"cannot reach {key!r} in {self.name!r}: {type(error).__name__}") from error


def _modified(info: Mapping[str, Any]) -> int | None:
    """Milliseconds, from what the file system calls it."""
    for name in _MODIFIED:
        value = info.get(name)
        if isinstance(value, datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return int(aware.timestamp() * 1000)
        if isinstance(value, int | float):
            return int(value * 1000)
    return None
