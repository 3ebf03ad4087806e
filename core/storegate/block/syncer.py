"""Keeping the catalog in step with the bucket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from storegate.block.block import Block
from storegate.block.catalog import BlockCatalog
from storegate.block.data_dir import remove_block_folder, remove_other_blocks, remove_temporary_files
from storegate.block.discovery import BlockListing
from storegate.block.fetcher import FetchResult, MetaFetcher
from storegate.block.load_round import LoadRound
from storegate.block.loader import BlockLoader
from storegate.block.observers import Observers
from storegate.errors import CancelledError, CorruptError, StoregateError
from storegate.metrics import Metrics
from storegate.types import BlockMeta

RETRY_PAUSE = 10.0  # s between attempts of the first sync
RETRY_WINDOW = 30.0  # s after which a failed attempt is not repeated
VANISHED = "vanished"
QUARANTINED = "quarantined"

log = structlog.get_logger(component="blocks")


class SyncerSettings(Protocol):
    """The part of the sync settings that the syncer needs."""

    @property
    def interval(self) -> float: ...

    @property
    def block_concurrency(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A block that ought to be served and cannot be: why, since when (ms), and how often it was tried."""

    meta: BlockMeta
    cause: str
    since: int
    tries: int


class BlockSyncer:
    """Loads new blocks into the catalog and drops those that left the bucket or that a filter takes out.

    One sync runs at a time; the catalog changes in one step at its end. A block that cannot load goes to quarantine,
    stops nothing, and is tried again at each sync; meanwhile the filters see the bucket without it, so that it hides no
    other block as its duplicate. A block whose meta.json changed is loaded anew. Thread-safe.
    """

    def __init__(
        self,
        fetcher: MetaFetcher,
        loader: BlockLoader,
        catalog: BlockCatalog,
        settings: SyncerSettings,
        metrics: Metrics,
        observers: Observers,
        *,
        data_dir: Path | None = None,
        idle_timeout: float = 0.0,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.catalog = catalog
        self.last: FetchResult | None = None
        self.last_error: StoregateError | None = None
        self.last_attempt: int | None = None
        """When the last sync that ended had begun (ms)."""
        self.loading: Mapping[str, BlockMeta] = {}
        """The blocks that the running sync loads, by ULID."""
        self._fetcher = fetcher
        self._loader = loader
        self._settings = settings
        self._metrics = metrics
        self._observers = observers
        self._data_dir = data_dir
        self._idle_timeout = idle_timeout
        self._now = now
        self._syncing = threading.Lock()  # long: one sync at a time
        self._changing = threading.Lock()  # short: catalog and quarantine change together
        self._quarantine: dict[str, Quarantined] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        loader.on_broken = self._quarantine_loaded

    @property
    def quarantine(self) -> Mapping[str, Quarantined]:
        """The blocks that cannot load, by ULID."""
        with self._changing:
            return dict(self._quarantine)

    def initial(self, *, pause: float = RETRY_PAUSE, window: float = RETRY_WINDOW) -> None:
        """The first sync, tried again every `pause` seconds; raises the last error after `window` seconds."""
        deadline = time.monotonic() + window
        while True:
            try:
                result = self.sync_once()
                error = _blindness(result)
                if error is None:
                    break
            except CancelledError:
                raise
            except StoregateError as failure:
                error = failure
            if time.monotonic() >= deadline:
                raise error
            log.warning("the first sync failed; trying again", err=str(error), seconds=pause)
            if self._stopping.wait(pause):
                raise CancelledError("the gateway is stopping")
        if self._data_dir is not None:
            remove_temporary_files(self._data_dir)

    def start(self) -> None:
        """Run the periodic sync on a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="block-sync", daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Sync at each interval, and unload idle index-headers, until `stop`. A failed sync is logged, no more."""
        next_sync = time.monotonic() + self._settings.interval
        idle_pause = self._idle_timeout / 10 or float("inf")
        next_idle = time.monotonic() + idle_pause
        while not self._stopping.wait(max(0.0, min(next_sync, next_idle) - time.monotonic())):
            if time.monotonic() >= next_idle:
                self.unload_idle_headers()
                next_idle = time.monotonic() + idle_pause
            if time.monotonic() >= next_sync:
                self._sync_and_log()
                while next_sync <= time.monotonic():  # times that passed during a long sync are left out
                    next_sync += self._settings.interval

    def stop(self, timeout: float = 10.0) -> None:
        """End the periodic sync and close all blocks; those in use close when their queries end.

        A sync that is stuck in the store is waited for no longer than `timeout` seconds; it changes nothing any more.
        """
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)
        with self._changing:
            left = self.catalog.update(remove=list(self.catalog.snapshot().blocks))
            self._metrics.blocks_loaded.set(0)
        for block in left:
            block.drop()

    def unload_idle_headers(self) -> None:
        """Unload index-headers that were loaded lazily and not used for the idle timeout."""
        for block in self.catalog.snapshot().blocks.values():
            block.unload_idle_header(self._idle_timeout)

    def sync_once(self) -> FetchResult:
        """Bring the catalog up to date. Raises what fetching raises; then nothing has changed."""
        with self._syncing:
            began = self._now()
            try:
                result = self._sync(began)
            except StoregateError as error:
                self.last_error = error
                raise
            except Exception as error:  # a plugin broke its contract: nothing but its own round may suffer
                self.last_error = StoregateError(f"the sync failed ({type(error).__name__}: {error})")
                raise self.last_error from error
            finally:
                self.last_attempt = began
            self.last, self.last_error = result, None
            return result

    def _sync(self, began: int) -> FetchResult:
        known = self.quarantine
        result = self._fetcher.fetch(began)
        round_ = LoadRound(
            lambda meta: self._load(meta, result.listings[meta.ulid], verify=meta.ulid in known),
            self._settings.block_concurrency,
            self._stopping,
        )
        try:
            wanted = self._load_wanted(result, round_)
            left = self._apply(wanted, round_, known)
        except BaseException:
            round_.abandon()
            raise
        finally:
            self.loading = {}
        self._report(wanted, round_, left)
        if self._data_dir is not None:
            remove_other_blocks(self._data_dir, self.catalog.snapshot().blocks.keys())
        return wanted

    def _load_wanted(self, result: FetchResult, round_: LoadRound) -> FetchResult:
        """Load what is missing; each block that fails may let others pass the filters, until none fails any more."""
        while True:
            missing = [meta for meta in result.metas.values() if self._is_missing(meta) and not round_.tried(meta.ulid)]
            self.loading = {meta.ulid: meta for meta in missing}
            if round_.load(missing):
                return result
            result = self._fetcher.refilter(result, round_.failed.keys())

    def _is_missing(self, meta: BlockMeta) -> bool:
        block = self.catalog.get(meta.ulid)
        return block is None or (block.meta is not meta and block.meta != meta)

    def _load(self, meta: BlockMeta, listing: BlockListing, *, verify: bool) -> Block:
        if meta.ulid in self.catalog and self._data_dir is not None:  # rewritten: the local header may be outdated
            remove_block_folder(self._data_dir / meta.ulid)
        self._metrics.block_loads_total.inc()
        try:
            with self._metrics.block_load_duration_seconds.time():
                block = self._loader.open(meta, listing, verify=verify)
        except BaseException:
            self._metrics.block_load_failures_total.inc()
            raise
        self._metrics.blocks_last_loaded_timestamp_seconds.set_to_current_time()
        return block

    def _apply(self, wanted: FetchResult, round_: LoadRound, known: Mapping[str, Quarantined]) -> list[Block]:
        """Put the outcome into effect for new queries, in one step; gives the blocks that left the catalog."""
        with self._changing:
            if self._stopping.is_set():
                raise CancelledError("the gateway is stopping")
            served = self.catalog.snapshot().blocks.keys()
            gone = [ulid for ulid in served if ulid not in wanted.metas and ulid not in round_.failed]
            left = self.catalog.update(add=round_.loaded.values(), remove=gone)
            broke_meanwhile = {ulid: q for ulid, q in self._quarantine.items() if ulid not in known}
            self._quarantine = broke_meanwhile | {
                ulid: self._quarantined(meta, error, known) for ulid, (meta, error) in round_.failed.items()
            }
            self._metrics.blocks_loaded.set(len(self.catalog))
            return left

    def _report(self, wanted: FetchResult, round_: LoadRound, left: list[Block]) -> None:
        """Close what left the catalog, and tell observers and the log."""
        for block in left:
            state, _ = wanted.dropped.get(block.meta.ulid, (VANISHED, ""))
            self._drop(block, "replaced" if block.meta.ulid in round_.loaded else state)
        for block in round_.loaded.values():
            self._observers.block_loaded(block.meta)
        if left or round_.loaded:
            log.info("blocks changed", loaded=len(round_.loaded), dropped=len(left), served=len(self.catalog))

    def _quarantined(self, meta: BlockMeta, error: StoregateError, known: Mapping[str, Quarantined]) -> Quarantined:
        before = known.get(meta.ulid)
        if before is None or before.cause != str(error):
            log.warning("a block cannot be loaded; it is tried again at each sync", block=meta.ulid, err=str(error))
        return Quarantined(
            meta=meta,
            cause=str(error),
            since=before.since if before else self._now(),
            tries=before.tries + 1 if before else 1,
        )

    def _drop(self, block: Block, reason: str) -> None:
        self._metrics.block_drops_total.inc()
        block.drop()
        log.debug("dropped a block", block=block.meta.ulid, reason=reason)
        self._observers.block_dropped(block.meta, reason)

    def _quarantine_loaded(self, block: Block, error: StoregateError) -> None:
        """A lazily loaded block turned out to be broken: from now on it counts as one that could not be opened."""
        with self._changing:
            if self.catalog.get(block.meta.ulid) is not block:  # not served: whoever opens it hears of the error
                return
            self.catalog.remove(block.meta.ulid)
            self._quarantine[block.meta.ulid] = self._quarantined(block.meta, error, {})
            self._metrics.block_load_failures_total.inc()
            self._metrics.blocks_loaded.set(len(self.catalog))
        self._drop(block, QUARANTINED)

    def _sync_and_log(self) -> None:
        try:
            self.sync_once()
        except CancelledError:
            pass
        except StoregateError as error:
            log.error("a sync failed; the blocks stay as they are until the next", err=str(error))


def _blindness(result: FetchResult) -> StoregateError | None:
    """Why a sync that raised nothing still saw nothing: no meta could be read, and not because metas are corrupt."""
    causes: Iterable[StoregateError] = (e for e in result.errors.values() if not isinstance(e, CorruptError))
    return None if result.seen else next(iter(causes), None)
