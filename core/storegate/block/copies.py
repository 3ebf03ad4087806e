"""Local copies of small bucket objects, so that a restart need not read them again."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import structlog

from storegate.block.ulids import is_ulid

FOLDER = "meta-syncer"
TEMPORARY = ".tmp"

log = structlog.get_logger(component="blocks")


class Copy(NamedTuple):
    """A local copy; `modified` is the time of the object it was made from, in ms, None when that was not known."""

    data: bytes
    modified: int | None


class LocalCopies:
    """Copies at `<data-dir>/meta-syncer/<ULID>/<name>`. Best effort: a failure is a warning, and costs a request later.

    The modification time of a copy is that of its object. Thread-safe for different ULIDs.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER

    def read(self, ulid: str, name: str) -> Copy | None:
        """The copy, None when there is none that can be read."""
        try:
            with open(self._folder / ulid / name, "rb") as file:
                return Copy(file.read(), os.fstat(file.fileno()).st_mtime_ns // 1_000_000 or None)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("cannot read a local copy; reading the bucket instead", path=error.filename, err=str(error))
            return None

    def write(self, ulid: str, name: str, data: bytes, modified: int | None) -> None:
        """Store a copy, whole or not at all."""
        path = self._folder / ulid / name
        temporary = path.with_name(f"{name}.{secrets.token_hex(4)}{TEMPORARY}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            _set_time(temporary, modified or 0)
            os.replace(temporary, path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            log.warning("cannot store a local copy; a restart reads it again", path=str(path), err=str(error))

    def exists(self, ulid: str, name: str) -> bool:
        """Whether there is a copy, readable or not."""
        return (self._folder / ulid / name).is_file()

    def stamp(self, ulid: str, name: str, modified: int) -> None:
        """Note the time of the object of which there is a copy already."""
        with suppress(OSError):
            _set_time(self._folder / ulid / name, modified)

    def remove(self, ulid: str, name: str) -> None:
        """Remove a copy if there is one."""
        with suppress(OSError):
            (self._folder / ulid / name).unlink()

    def keep_only(self, ulids: Collection[str]) -> None:
        """Remove the copies of all other blocks."""
        with suppress(OSError):
            for entry in list(os.scandir(self._folder)):
                if is_ulid(entry.name) and entry.name not in ulids:
                    shutil.rmtree(entry.path, ignore_errors=True)


def _set_time(path: Path, modified: int) -> None:
    os.utime(path, ns=(modified * 1_000_000,) * 2)
