"""One sync's attempts to open blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from storegate.block.block import Block
from storegate.errors import CancelledError, StoregateError
from storegate.types import BlockMeta

log = structlog.get_logger(component="blocks")


class LoadRound:
    """Opens blocks on `concurrency` threads, each once; what came of them is in `loaded` and `failed`, by ULID."""

    def __init__(self, open_block: Callable[[BlockMeta], Block], concurrency: int, stopping: threading.Event) -> None:
        self._open = open_block
        self._concurrency = concurrency
        self._stopping = stopping
        self.loaded: dict[str, Block] = {}
        self.failed: dict[str, tuple[BlockMeta, StoregateError]] = {}

    def tried(self, ulid: str) -> bool:
        """Whether the block is loaded, or failed to."""
        return ulid in self.loaded or ulid in self.failed

    def load(self, metas: Sequence[BlockMeta]) -> bool:
        """Open blocks; whether all of them could be. Raises CancelledError when the gateway stops meanwhile."""
        if not metas:
            return True
        workers = min(self._concurrency, len(metas))
        with ThreadPoolExecutor(workers, thread_name_prefix="block-load") as pool:
            list(pool.map(self._load, metas))
        if self._stopping.is_set():
            raise CancelledError("the gateway is stopping")
        return not any(meta.ulid in self.failed for meta in metas)

    def abandon(self) -> None:
        """Close what was loaded."""
        for block in self.loaded.values():
            block.drop()

    def _load(self, meta: BlockMeta) -> None:
        if self._stopping.is_set():
            return
        try:
            self.loaded[meta.ulid] = self._open(meta)
        except StoregateError as error:
            self.failed[meta.ulid] = (meta, error)
        except Exception as error:  # a plugin broke its contract; the other blocks shall not suffer
            log.exception("a block failed to load in an unexpected way", block=meta.ulid)
            self.failed[meta.ulid] = (meta, StoregateError(f"{type(error).__name__}: {error}"))
