"""Walking a folder in key order."""

from __future__ import annotations

import os
from collections.abc import Iterator

from storegate import ObjectInfo

TEMPORARY = ".storegate-put-"
"""File names that begin so are uploads in progress: no objects."""


def object_info(key: str, stat: os.stat_result) -> ObjectInfo:
    """The listing entry of a file."""
    return ObjectInfo(key=key, size=stat.st_size, modified=stat.st_mtime_ns // 1_000_000)


def is_inside(path: str, root: str) -> bool:
    """Whether the resolved `path` is below the resolved `root`."""
    return path.startswith(root if root.endswith("/") else f"{root}/")


def walk(folder: str, prefix: str, root: str, *, recursive: bool) -> Iterator[ObjectInfo]:
    """Objects below `folder`, whose keys begin with `prefix`; folders as well when not `recursive`.

    Key order: a folder `a/` sorts after a file `a.b`. Entries that vanish meanwhile are left out, and so is what is
    neither file nor folder: symlinks to folders or out of `root`, sockets, names that are not UTF-8. An unreadable
    folder raises OSError.
    """
    for name, entry in _entries(folder, root):
        key = prefix + name
        if not name.endswith("/"):
            try:
                stat = entry.stat()
            except FileNotFoundError:
                continue
            yield object_info(key, stat)
        elif recursive:
            yield from walk(entry.path, key, root, recursive=True)
        elif _holds_a_file(entry.path, root):
            yield ObjectInfo(key=key)


def _entries(folder: str, root: str) -> list[tuple[str, os.DirEntry[str]]]:
    """Files and folders directly below, sorted by name; the names of folders end with `/`."""
    try:
        with os.scandir(folder) as entries:
            found = [_named(entry) for entry in entries if _is_listed(entry, root)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, key=lambda pair: pair[0])


def _named(entry: os.DirEntry[str]) -> tuple[str, os.DirEntry[str]]:
    return (f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name, entry)


def _is_listed(entry: os.DirEntry[str], root: str) -> bool:
    if entry.name.startswith(TEMPORARY) or not _is_text(entry.name):
        return False
    if entry.is_symlink():
        return entry.is_file() and is_inside(os.path.realpath(entry.path), root)
    return entry.is_dir() or entry.is_file()


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _holds_a_file(folder: str, root: str) -> bool:
    """Whether a listing of `folder` would show an object: empty folders are invisible."""
    return any(not name.endswith("/") or _holds_a_file(entry.path, root) for name, entry in _entries(folder, root))
