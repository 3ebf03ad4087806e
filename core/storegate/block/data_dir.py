"""Keeping the data directory clean: what a crash, a dropped block or a failed build left behind."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from storegate.block.ulids import is_ulid

TEMPORARY = ("*.tmp", "*.part-*")
"""Files that are being written: ours and those of Thanos."""
OURS = ("index-header", *TEMPORARY)


def remove_other_blocks(data_dir: Path, ulids: Collection[str]) -> None:
    """Remove the local files of blocks that are not among `ulids`."""
    for folder in _block_folders(data_dir):
        if folder.name not in ulids:
            remove_block_folder(folder)


def remove_block_folder(folder: Path) -> None:
    """Remove the local files of one block, and the folder if nothing else is in it.

    A file of any other name stays: should the data directory be pointed at a bucket, no block is deleted.
    """
    _remove_files(folder, OURS)
    with suppress(OSError):
        folder.rmdir()


def remove_temporary_files(data_dir: Path) -> None:
    """Remove half-written files of all blocks. Only while nothing is being built."""
    for folder in _block_folders(data_dir):
        _remove_files(folder, TEMPORARY)


def _block_folders(data_dir: Path) -> list[Path]:
    return [Path(e.path) for e in _entries(data_dir) if is_ulid(e.name) and e.is_dir(follow_symlinks=False)]


def _remove_files(folder: Path, patterns: Collection[str]) -> None:
    for entry in _entries(folder):
        if any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in patterns):
            with suppress(OSError):
                os.unlink(entry.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
