"""The index of a block in the bucket, and the local index-header made from it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import structlog

from storegate.block.discovery import INDEX_FILE, BlockListing
from storegate.errors import CorruptError, NotFoundError
from storegate.index.build import build_index_header, write_index_header
from storegate.index.header import IndexHeader
from storegate.metrics import Metrics
from storegate.types import BlockMeta, ObjectStore

HEADER_FILE = "index-header"

log = structlog.get_logger(component="blocks")


class IndexFile:
    """Makes and opens the index-header of one block. Not thread-safe: its user loads once at a time.

    The size of the index is what the listing says, else meta.json, else the object itself. `folder` is where the
    index-header is kept; None keeps it in memory. Raises NotFoundError when a complete listing shows no index.
    """

    def __init__(
        self,
        store: ObjectStore,
        meta: BlockMeta,
        listing: BlockListing,
        folder: Path | None,
        metrics: Metrics,
        *,
        sampling: int = 32,
    ) -> None:
        self._store = store
        self._folder = folder
        self._metrics = metrics
        self._sampling = sampling
        self.key = f"{meta.ulid}/{INDEX_FILE}"
        info = listing.objects.get(INDEX_FILE)
        if info is None and listing.complete:
            raise NotFoundError(f"{self.key} does not exist; the block is damaged, delete it or upload it again")
        self._modified = None if info is None else info.modified
        listed, noted = None if info is None else info.size, meta.files.get(INDEX_FILE)
        self._is_hearsay = listed is None and noted is not None
        self.size: int = self._ask_size() if listed is None and noted is None else listed or noted or 0

    @property
    def _path(self) -> Path | None:
        return None if self._folder is None else self._folder / HEADER_FILE

    def prepare(self) -> None:
        """Build the local index-header when there is none; an existing one is not judged."""
        path = self._path
        if path is not None and not path.exists():
            self._save(path, self._build())

    def open(self) -> IndexHeader:
        """The index-header, built if need be, and once more when the local one is invalid.

        One that the local disk does not take stays in memory. Raises CorruptError when the index is, and what the store
        raises.
        """
        path = self._path
        if path is not None and path.exists():
            try:
                return self._load(path)
            except (CorruptError, OSError) as error:
                log.warning("building a local index-header again", path=str(path), err=str(error))
                with suppress(OSError):
                    path.unlink()
        data = self._build()
        if path is not None and self._save(path, data) and (header := self._load_saved(path)) is not None:
            return header
        with self._metrics.indexheader_load_duration_seconds.time():
            return IndexHeader.from_bytes(data, name=self.key, sampling=self._sampling, modified=self._modified)

    def _load(self, path: Path) -> IndexHeader:
        with self._metrics.indexheader_load_duration_seconds.time():
            return IndexHeader.open(path, sampling=self._sampling, modified=self._modified)

    def _save(self, path: Path, data: bytes) -> bool:
        """Whether the disk took it: a full one makes blocks cost memory, not their data."""
        try:
            write_index_header(path, data)
        except OSError as error:
            self._warn(path, error)
            return False
        return True

    def _load_saved(self, path: Path) -> IndexHeader | None:
        try:
            return self._load(path)
        except OSError as error:
            self._warn(path, error)
            return None

    def _warn(self, path: Path, error: OSError) -> None:
        reason = error.strerror or str(error)
        log.warning("the data directory cannot hold an index-header: it stays in memory", path=str(path), err=reason)

    def _build(self) -> bytes:
        with self._metrics.indexheader_download_duration_seconds.time():
            try:
                return self._build_once()
            except CorruptError:
                if not self._correct_size():
                    raise
                return self._build_once()

    def _build_once(self) -> bytes:
        data = build_index_header(self._store, self.key, self.size, None)
        assert data is not None
        return data

    def _correct_size(self) -> bool:
        """Whether the size came from meta.json and was wrong; now it is right."""
        if not self._is_hearsay:
            return False
        self._is_hearsay = False
        noted, self.size = self.size, self._ask_size()
        return noted != self.size

    def _ask_size(self) -> int:
        size = self._store.head(self.key).size
        if size is None:
            raise CorruptError("the store does not tell the size", object=self.key)
        return size
