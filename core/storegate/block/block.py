"""One block that is served."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from storegate.block.header_handle import HeaderHandle
from storegate.block.index_file import IndexFile
from storegate.block.segments import Segments
from storegate.errors import StoregateError
from storegate.index.header import IndexHeader
from storegate.metrics import Metrics
from storegate.types import BlockMeta, ObjectStore

Labels = tuple[tuple[str, str], ...]


class Block:
    """Where the parts of a block lie, and its index-header. Thread-safe.

    `labels` are the external labels, sorted by name, without those of empty value. Whoever reads from a block holds it
    between `acquire` and `release`; a dropped block closes when the last holder has released it.
    """

    def __init__(
        self,
        meta: BlockMeta,
        store: ObjectStore,
        index: IndexFile,
        segments: Segments,
        metrics: Metrics,
        *,
        lazy: bool,
        on_broken: Callable[[Block, StoregateError], None] = lambda block, error: None,
    ) -> None:
        self.meta = meta
        self.labels: Labels = tuple(sorted((name, value) for name, value in meta.labels.items() if value))
        self.store = store
        self.index_key = index.key
        self.segments = segments.keys
        self.segment_sizes = segments.sizes
        self._index = index
        self._header = HeaderHandle(
            meta.ulid, index.open, metrics, lazy=lazy, on_broken=lambda error: on_broken(self, error)
        )
        self._metrics = metrics
        self._lock = threading.Lock()
        self._holders = 0
        self._dropped = False

    def __repr__(self) -> str:
        return f"<Block {self.meta.ulid} {self.meta.min_time}..{self.meta.max_time} {self.meta.resolution}>"

    @property
    def index_size(self) -> int:
        """Bytes of the index; right once the header was loaded, before that perhaps only what meta.json said."""
        return self._index.size

    @property
    def header_loaded(self) -> bool:
        """Whether the index-header is in memory."""
        return self._header.loaded

    @property
    def dropped(self) -> bool:
        """Whether it has left the catalog; a lazily loaded block does so at once when its index turns out broken."""
        return self._dropped

    def acquire(self) -> bool:
        """Hold the block open. False when it was dropped: select blocks anew."""
        with self._lock:
            if not self._dropped:
                self._holders += 1
            return not self._dropped

    def release(self) -> None:
        """End one `acquire`."""
        with self._lock:
            self._holders -= 1
            close = self._dropped and self._holders == 0
        if close:
            self._close()

    def drop(self) -> None:
        """Take no more holders, and close when the last one is gone. To be called once, after leaving the catalog."""
        with self._lock:
            if self._dropped:
                return
            self._dropped = True
            close = self._holders == 0
        if close:
            self._close()

    def header(self) -> AbstractContextManager[IndexHeader]:
        """The index-header for the length of a `with`; loads it if need be. Raises CorruptError or store errors."""
        return self._header.use()

    def load_header(self) -> None:
        """Load the index-header now."""
        self._header.load()

    def unload_idle_header(self, timeout: float) -> bool:
        """Give the memory of a lazily loaded header back if it was not used for `timeout` seconds; whether it was."""
        return self._header.unload_if_idle(timeout)

    def _close(self) -> None:
        try:
            self._header.close()
        except Exception:
            self._metrics.block_drop_failures_total.inc()
