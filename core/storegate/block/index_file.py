"""The index of a block in the bucket, and the local index-header made from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from storegate.block.discovery import INDEX_FILE, BlockListing
from storegate.errors import CorruptError, NotFoundError, StoregateError, UnavailableError
from storegate.index.header import IndexHeader, build_index_header
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
            self._build(path)

    def open(self) -> IndexHeader:
        """The index-header, built if need be, and once more when the local one is invalid.

        Raises CorruptError when the index is, UnavailableError when the disk fails, and what the store raises.
        """
        path = self._path
        if path is None:
            data = self._build(None)
            assert data is not None
            with self._metrics.indexheader_load_duration_seconds.time():
                return IndexHeader.from_bytes(data, name=self.key, sampling=self._sampling, modified=self._modified)
        if path.exists():
            try:
                return self._load(path)
            except (CorruptError, UnavailableError) as error:
                log.warning("building a local index-header again", path=str(path), err=str(error))
                with suppress(OSError):
                    path.unlink()
        self._build(path)
        return self._load(path)

    def _load(self, path: Path) -> IndexHeader:
        with self._metrics.indexheader_load_duration_seconds.time(), _local_disk(path):
            return IndexHeader.open(path, sampling=self._sampling, modified=self._modified)

    def _build(self, path: Path | None) -> bytes | None:
        with self._metrics.indexheader_download_duration_seconds.time(), _local_disk(path):
            try:
                return build_index_header(self._store, self.key, self.size, path)
            except CorruptError:
                if not self._correct_size():
                    raise
                return build_index_header(self._store, self.key, self.size, path)

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


@contextmanager
def _local_disk(path: Path | None) -> Iterator[None]:
    """Turn errors of the local disk (full, no permission) into an UnavailableError that names the path."""
    try:
        yield
    except StoregateError:
        raise
    except OSError as error:
        raise UnavailableError(f"cannot use the local index-header {str(path)!r}: {error.strerror or error}") from error
