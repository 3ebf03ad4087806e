"""Opening blocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from storegate.block.block import Block
from storegate.block.data_dir import remove_block_folder
from storegate.block.discovery import BlockListing
from storegate.block.index_file import IndexFile
from storegate.block.segments import find_segments
from storegate.errors import CorruptError, StoregateError
from storegate.metrics import Metrics
from storegate.types import BlockMeta, ObjectStore

RESOLUTIONS = (0, 300_000, 3_600_000)  # ms: raw, 5 m, 1 h


class HeaderSettings(Protocol):
    """The part of the index-header settings that opening needs."""

    @property
    def lazy(self) -> bool: ...

    @property
    def lazy_download(self) -> bool: ...

    @property
    def sampling(self) -> int: ...


class BlockLoader:
    """Opens blocks of one bucket. Thread-safe for different ULIDs.

    Index-headers lie in `<data_dir>/<ULID>`; without `data_dir` they are built in memory, at once, whatever the
    settings say about laziness. `on_broken` hears, on the thread that noticed, of a lazily loaded block whose index
    turns out to be corrupt or absent.
    """

    def __init__(
        self,
        store: ObjectStore,
        data_dir: Path | None,
        settings: HeaderSettings,
        metrics: Metrics,
        *,
        on_broken: Callable[[Block, StoregateError], None] = lambda block, error: None,
    ) -> None:
        self._store = store
        self._data_dir = data_dir
        self._lazy = settings.lazy and data_dir is not None
        self._lazy_download = self._lazy and settings.lazy_download
        self._sampling = settings.sampling
        self._metrics = metrics
        self.on_broken = on_broken

    def open(self, meta: BlockMeta, listing: BlockListing | None = None, *, verify: bool = False) -> Block:
        """A block that can be queried; `verify` loads its index-header even when that would wait for a query.

        Raises CorruptError, NotFoundError, or what the store raises; nothing is left behind then.
        """
        if meta.resolution not in RESOLUTIONS:
            raise CorruptError(
                f"thanos.downsample.resolution {meta.resolution} is not one of {RESOLUTIONS} ms",
                object=f"{meta.ulid}/meta.json",
            )
        listing = listing or BlockListing()
        folder = None if self._data_dir is None else self._data_dir / meta.ulid
        try:
            index = IndexFile(self._store, meta, listing, folder, self._metrics, sampling=self._sampling)
            segments = find_segments(self._store, meta, listing)
            block = Block(meta, self._store, index, segments, self._metrics, lazy=self._lazy, on_broken=self._broken)
            if verify or not self._lazy:
                block.load_header()
            elif not self._lazy_download:
                index.prepare()
            return block
        except BaseException:
            if folder is not None:
                remove_block_folder(folder)
            raise

    def _broken(self, block: Block, error: StoregateError) -> None:
        self.on_broken(block, error)
