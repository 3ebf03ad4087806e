"""Which blocks are to be served: discovery, metas, marks and the chain of filters."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import structlog

from storegate.block.chain import FilterChain
from storegate.block.copies import LocalCopies
from storegate.block.discovery import BlockListing, Strategy, list_blocks
from storegate.block.marks import DELETION_MARK_FILE, UnsupportedMarkError, parse_deletion_mark
from storegate.block.meta import META_FILE, UnsupportedMetaError, parse_meta
from storegate.block.metrics import CORRUPTED, FAILED, LOADED, NO_META, FetcherMetrics
from storegate.block.reader import DocumentReader
from storegate.errors import CorruptError, NotFoundError, StoregateError
from storegate.types import BlockMeta, DeletionMark, FilterContext, MetaFilter, ObjectStore

log = structlog.get_logger(component="blocks")


class FetchSettings(Protocol):
    """The part of the sync settings that the fetcher needs."""

    @property
    def strategy(self) -> Strategy: ...

    @property
    def meta_concurrency(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """What one fetch found, all keyed by ULID.

    `metas` are the blocks to serve; `dropped` those that a filter took out, as (state, name of the filter); `errors`
    what was wrong with a meta or mark. `states` has one entry per block folder, as counted by the metrics. `seen` holds
    the metas that went into the filters. `incomplete` says that some meta or mark could not be read or understood; its
    block keeps the state it had.
    """

    now: int
    metas: Mapping[str, BlockMeta]
    dropped: Mapping[str, tuple[str, str]]
    listings: Mapping[str, BlockListing]
    states: Mapping[str, str]
    errors: Mapping[str, StoregateError]
    seen: Mapping[str, BlockMeta]
    marks: Mapping[str, DeletionMark]
    incomplete: bool


class MetaFetcher:
    """Finds the blocks to serve. Thread-safe; one fetch runs at a time.

    Metas and marks are read once per version, from `<data-dir>/meta-syncer` after a restart; without `data_dir` they
    are kept in memory alone. With the strategy `concurrent`, a `head` shows whether a meta that is known is still there
    and unchanged (Thanos looks for existence only), and marks are read at each fetch.

    A meta of an unsupported version, and one that cannot be read, does not stop anything, unlike in Thanos, where it
    ends the start and later keeps outdated blocks for ever. Its block is counted as `failed` and keeps its previous
    state (what was served goes on to be served), while all other blocks come and go. The same holds for a deletion
    mark; a block without a previous state is then served as if it had none.
    """

    def __init__(
        self,
        store: ObjectStore,
        data_dir: Path | None,
        filters: Sequence[tuple[str, MetaFilter]],
        settings: FetchSettings,
        metrics: FetcherMetrics,
    ) -> None:
        self._store = store
        self._chain = FilterChain(filters)
        self._settings = settings
        self._metrics = metrics
        self._copies = None if data_dir is None else LocalCopies(data_dir)
        self._metas = DocumentReader(store, META_FILE, parse_meta, self._copies, on_change=metrics.cache_busts.inc)
        self._marks = DocumentReader(store, DELETION_MARK_FILE, parse_deletion_mark, self._copies)
        self._warned: dict[str, str] = {}
        self._lock = threading.Lock()

    def fetch(self, now_ms: int) -> FetchResult:
        """Look at the bucket. Raises what listing raises, and FilterError; the metrics then show the fetch before."""
        with self._lock, self._metrics.duration.time():
            self._metrics.syncs.inc()
            try:
                result = self._fetch(now_ms)
            except BaseException:
                self._metrics.sync_failures.inc()
                raise
            if result.incomplete:
                self._metrics.sync_failures.inc()
            self._metrics.publish(result.states.values())
            return result

    def refilter(self, result: FetchResult, without: Collection[str]) -> FetchResult:
        """The same fetch as if the blocks `without` did not exist. Raises FilterError."""
        seen = {ulid: meta for ulid, meta in result.seen.items() if ulid not in without}
        metas, dropped = self._chain.apply(seen, FilterContext(now=result.now, marks=result.marks))
        return replace(result, metas=metas, dropped=dropped)

    def _fetch(self, now: int) -> FetchResult:
        self._metrics.base_syncs.inc()
        listings = list_blocks(self._store, self._settings.strategy, on_odd_name=self._report_odd_name)
        found = _Found(self._store, listings, self._metas, self._marks)
        self._read(self._metas, META_FILE, listings, listings, found.read_meta)
        self._read(self._marks, DELETION_MARK_FILE, listings, list(found.metas), found.read_mark)
        self._forget_the_gone(listings)
        self._report(found.errors)
        metas, dropped = self._chain.apply(found.metas, FilterContext(now=now, marks=found.marks))
        after_filters = dict.fromkeys(metas, LOADED) | {ulid: state for ulid, (state, _) in dropped.items()}
        return FetchResult(
            now=now,
            metas=metas,
            dropped=dropped,
            listings=listings,
            states=after_filters | found.states,
            errors=found.errors,
            seen=found.metas,
            marks=found.marks,
            incomplete=found.incomplete,
        )

    def _read(
        self,
        reader: DocumentReader[Any],
        name: str,
        listings: Mapping[str, BlockListing],
        ulids: Iterable[str],
        read: Callable[[str], None],
    ) -> None:
        """Call `read` for each block, concurrently for those that need a disk or the bucket."""
        slow = []
        for ulid in ulids:
            listing = listings[ulid]
            info = listing.objects.get(name)
            if reader.in_memory(ulid, info) or (info is None and listing.complete):
                read(ulid)
            else:
                slow.append(ulid)
        if slow:
            workers = min(self._settings.meta_concurrency, len(slow))
            with ThreadPoolExecutor(workers, thread_name_prefix="meta-fetch") as pool:
                list(pool.map(read, slow))

    def _forget_the_gone(self, listings: Collection[str]) -> None:
        self._metas.keep_only(listings)
        self._marks.keep_only(listings)
        if self._copies is not None:
            self._copies.keep_only(listings)

    def _report(self, errors: Mapping[str, StoregateError]) -> None:
        """Warn of what is new; a broken block of years would fill the log otherwise."""
        texts = {ulid: str(error) for ulid, error in errors.items()}
        for ulid, text in texts.items():
            if self._warned.get(ulid) != text:
                log.warning("cannot use a block's meta or mark", block=ulid, err=text)
        self._warned = texts

    def _report_odd_name(self, name: str) -> None:
        log.debug("not a block: only ULIDs in upper case are", name=name)


class _Found:
    """What the documents of one round said. Each method may run for several blocks at once."""

    def __init__(
        self,
        store: ObjectStore,
        listings: Mapping[str, BlockListing],
        meta_reader: DocumentReader[BlockMeta],
        mark_reader: DocumentReader[DeletionMark],
    ) -> None:
        self._store = store
        self._listings = listings
        self._meta_reader = meta_reader
        self._mark_reader = mark_reader
        self.metas: dict[str, BlockMeta] = {}
        self.marks: dict[str, DeletionMark] = {}
        self.states: dict[str, str] = {}
        self.errors: dict[str, StoregateError] = {}
        self.incomplete = False

    def read_meta(self, ulid: str) -> None:
        """Note the meta, or the state of a block without."""
        listing = self._listings[ulid]
        info = listing.objects.get(META_FILE)
        if info is None and listing.complete:
            self.states[ulid] = NO_META
            return
        try:
            if info is None and self._meta_reader.has_copy(ulid):
                info = self._store.head(f"{ulid}/{META_FILE}")
            self.metas[ulid] = self._meta_reader.read(ulid, info)
        except NotFoundError:  # gone since it was listed, or not uploaded yet
            self._meta_reader.forget(ulid)
            self.states[ulid] = NO_META
        except CorruptError as error:
            self.errors[ulid] = error
            self.states[ulid] = CORRUPTED
            if isinstance(error, UnsupportedMetaError):
                self._keep_previous_meta(ulid)
        except Exception as error:
            self.errors[ulid] = _as_storegate_error(error, f"{ulid}/{META_FILE}")
            self._keep_previous_meta(ulid)

    def read_mark(self, ulid: str) -> None:
        """Note the deletion mark if there is one."""
        listing = self._listings[ulid]
        info = listing.objects.get(DELETION_MARK_FILE)
        if info is None and listing.complete:
            self._mark_reader.forget(ulid)
            return
        try:
            self.marks[ulid] = self._mark_reader.read(ulid, info)
        except NotFoundError:
            pass
        except CorruptError as error:  # an upload in progress, most often
            self.errors[ulid] = error
            if isinstance(error, UnsupportedMarkError):
                self._keep_previous_mark(ulid)
        except Exception as error:
            self.errors[ulid] = _as_storegate_error(error, f"{ulid}/{DELETION_MARK_FILE}")
            self._keep_previous_mark(ulid)

    def _keep_previous_meta(self, ulid: str) -> None:
        self.incomplete = True
        self.states[ulid] = FAILED
        previous = self._meta_reader.last_good(ulid)
        if previous is not None:
            self.metas[ulid] = previous

    def _keep_previous_mark(self, ulid: str) -> None:
        self.incomplete = True
        previous = self._mark_reader.last_good(ulid)
        if previous is not None:
            self.marks[ulid] = previous


def _as_storegate_error(error: Exception, key: str) -> StoregateError:
    return error if isinstance(error, StoregateError) else StoregateError(f"{key}: {type(error).__name__}: {error}")
