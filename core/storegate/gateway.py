"""The composition root: settings and plugins become a running gateway.

Front ends see a `Gateway`; everything below it is built here and handed down, nothing is looked up globally.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from storegate.block.catalog import BlockCatalog
from storegate.block.fetcher import MetaFetcher
from storegate.block.loader import BlockLoader
from storegate.block.marking import mark_block
from storegate.block.metrics import FetcherMetrics
from storegate.block.observers import Observers
from storegate.block.status import BlockStatus, ChosenBlocks, block_statuses, chosen_blocks
from storegate.block.syncer import BlockSyncer
from storegate.cache.bucket import CachingBucket, PastCache
from storegate.cache.opening import bucket_namespace, open_caching_bucket, open_index_cache
from storegate.config.changes import Changes, compare, taken_over
from storegate.config.flag_texts import flag_texts
from storegate.config.settings import ComponentRef, Settings
from storegate.errors import CancelledError, InvalidRequestError
from storegate.index.matchers import MatcherCompiler
from storegate.kernels import ACCELERATED
from storegate.manager import PluginManager
from storegate.measured import MeasuredFilter, MeasuredObserver, MeasuredPartitioner
from storegate.metrics import Metrics
from storegate.objstore.opening import open_store
from storegate.plugin_calls import CallMeter, plugin_calls
from storegate.plugin_report import plugin_report
from storegate.query.call import Call
from storegate.query.chunk_pool import ChunkPool
from storegate.query.context import Shared
from storegate.query.gate import Gate
from storegate.query.headers import HeaderLoads
from storegate.query.labels import label_names, label_values
from storegate.query.request import (
    LabelNamesRequest,
    LabelsAnswer,
    LabelValuesRequest,
    SeriesRequest,
    StoreInfo,
    TSDBInfo,
)
from storegate.query.running import RunningQuery
from storegate.query.series import SeriesStream
from storegate.reads import Reader
from storegate.safe_mode import settings_in_force, warnings
from storegate.types import FrontEnd, LearnsFromReads, MetaFilter, ObjectStore, Observer

READ_THREADS = 64
"""Reads of the bucket that are under way at once, all queries and syncs together."""
GRACE = 120.0  # s; front ends know their own, shorter ones

log = structlog.get_logger(component="gateway")


class Gateway:
    """One gateway over one bucket. Thread-safe once built; `start` and `stop` are called once each, in this order.

    Building it reads no bucket and listens nowhere, but raises ConfigurationError for everything that is wrong with the
    settings or the plugins.
    """

    def __init__(
        self, settings: Settings, plugins: PluginManager | None = None, flags: Mapping[str, Any] | None = None
    ) -> None:
        self._given = settings
        self.plugins = plugins or PluginManager.load_for(settings.plugins)
        settings, changes = settings_in_force(settings, self.plugins)
        for text in warnings(changes):
            log.warning(text)
        self.settings = settings
        """The settings in force: safe mode may have changed those that were given."""
        self._given_flags = flags
        self.flags = flag_texts(settings, flags)
        """The text of every flag of `storegate store` in force, without secrets."""
        self.log = log
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.ready = False
        self.healthy = False
        self._reloading = threading.Lock()
        self._ready_callbacks: list[Callable[[bool], None]] = []
        self._pool = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read")
        # before any SDK is imported: rules for the TLS of gRPC must be set before that library is loaded
        self._early: list[FrontEnd] = []
        self._late: list[FrontEnd] = []
        self._open_frontends()
        self._bucket: ObjectStore = open_store(self.plugins, settings.object_store, self.registry)
        namespace = bucket_namespace(self.plugins, settings.object_store.type, self._bucket)
        self._store = self._behind_cache(namespace)
        self._cache = open_index_cache(self.plugins, settings.index_cache, self.registry, namespace=namespace)
        self._observers = self._open_observers()
        self._syncer = self._build_syncer()
        self._gate = Gate(settings.limits.concurrency, self.metrics)
        partitioner = self._create("partitioner", settings.partitioner, "partitioner")
        self._shared = Shared(
            settings=settings,
            catalog=self._syncer.catalog,
            cache=self._cache,
            reader=Reader(
                self._bucket,
                self._pool,
                self._store.subranges if isinstance(self._store, CachingBucket) else None,
                partitioner if isinstance(partitioner, LearnsFromReads) else None,
            ),
            pool=self._pool,
            partitioner=MeasuredPartitioner(partitioner, self._meter("partitioner", settings.partitioner)[0]),
            metrics=self.metrics,
            observers=self._observers,
            compiler=MatcherCompiler(settings.query.matcher_cache, self.registry),
            chunk_pool=ChunkPool(settings.query.chunk_pool),
            header_loads=HeaderLoads(self._pool),
        )

    # --- what front ends use ---

    def series(self, request: SeriesRequest, call: Call) -> SeriesStream:
        """The answer as lists of ready frames. Nothing is done before the first `next`."""
        return SeriesStream(self._shared, self._gate, request, call)

    def label_names(self, request: LabelNamesRequest, call: Call) -> LabelsAnswer:
        """Blocks until the answer is complete."""
        return label_names(self._shared, request, call)

    def label_values(self, request: LabelValuesRequest, call: Call) -> LabelsAnswer:
        """Blocks until the answer is complete."""
        return label_values(self._shared, request, call)

    def running(self) -> Sequence[RunningQuery]:
        """The queries that run or wait now, the oldest first."""
        return self._shared.running.list()

    def cancel(self, query: int) -> bool:
        """End a running query as if its client had gone; False when there is none with this id (any more)."""
        return self._shared.running.cancel(query)

    def info(self) -> StoreInfo:
        """What is served now, with the time range cut by the settings (StoreAPI 11)."""
        snapshot = self._syncer.catalog.snapshot()
        low, high = self.settings.time.resolve(time.time_ns() // 1_000_000)
        min_time, max_time = snapshot.time_range()
        if snapshot.blocks:
            min_time, max_time = max(min_time, low), min(max_time, high)
        return StoreInfo(
            label_sets=tuple(snapshot.label_sets()),
            min_time=min_time,
            max_time=max_time,
            tsdb_infos=tuple(
                TSDBInfo(labels=c.labels, min_time=c.min_time, max_time=c.max_time) for c in snapshot.tsdb_infos()
            ),
        )

    def blocks(self) -> list[BlockStatus]:
        """What became of every block of the bucket."""
        return block_statuses(self._syncer)

    def chosen_blocks(self) -> ChosenBlocks:
        """What the last look at the bucket chose to be served."""
        return chosen_blocks(self._syncer)

    def plugin_report(self) -> dict[str, Any]:
        """Installed providers, and what is in each place of the pipeline and why, as plain data without secrets."""
        return plugin_report(self._given, self.plugins)

    def mark_block(self, ulid: str, action: str, details: str = "") -> bool:
        """Write a mark (`DELETION` or `NO_COMPACTION`); False when the block has it already. Blocks.

        Raises InvalidRequestError for a wrong request, when admin operations are off too, and what the store raises.
        """
        if self.settings.web.disable_admin_operations:
            raise InvalidRequestError("Admin operations are disabled")
        store = PastCache(self._store, self._bucket) if isinstance(self._store, CachingBucket) else self._bucket
        return mark_block(store, ulid, action, details)

    def on_ready_change(self, callback: Callable[[bool], None]) -> None:
        """`callback` is called, on some thread, each time readiness changes from now on."""
        self._ready_callbacks.append(callback)

    @property
    def addresses(self) -> dict[str, str]:
        """`host:port` of each front end that was started, by its type."""
        started = [*self._early, *self._late]
        return {name: front.address for name, front in zip(self._frontend_names, started, strict=False)}

    def frontend(self, name: str) -> FrontEnd | None:
        """The front end of this type, None when there is none: another one may build on it.

        Early front ends are started before all others, and each kind in the order of the settings.
        """
        fronts = zip(self._frontend_names, [*self._early, *self._late], strict=True)
        return next((front for known, front in fronts if known.casefold() == name.casefold()), None)

    # --- life ---

    def start(self, stopped: threading.Event | None = None) -> None:
        """Listen for probes, load the blocks, then serve. Returns once ready, or when `stopped` is set before that.

        Raises ConfigurationError for an address that cannot be used, and the last error of the first sync when it
        failed for too long. The gateway is stopped then.
        """
        if not ACCELERATED:
            log.warning("the compiled kernels are missing: queries will be slow; reinstall storegate with a C compiler")
        try:
            for front in self._early:
                front.start(self)
            self._set_healthy(True)
            if stopped is None:
                self._syncer.initial()
            else:
                self._first_sync(stopped)
            for front in self._late:
                front.start(self)
            self._syncer.start()
            gc.freeze()  # what is loaded now stays: a collection in the middle of a query need not look at it
            self._set_ready(True)
        except CancelledError:
            return
        except BaseException:
            self.stop(grace=0.0)
            raise

    def reload(self, settings: Settings) -> Changes:
        """Take over what can change while the gateway runs, for queries that begin from now on. Thread-safe.

        Raises nothing; what needs a restart is told, and stays as it is.
        """
        with self._reloading:
            changes = compare(self._given, settings)
            self._given = taken_over(self._given, settings)
            self.settings = taken_over(self.settings, settings)
            self.flags = flag_texts(self.settings, self._given_flags)
            self._shared = replace(self._shared, settings=self.settings)
        return changes

    def stop(self, grace: float = GRACE) -> None:
        """Readiness off, let running calls end, stop syncing, close everything; the probes' server goes last."""
        self._set_ready(False)
        for front in self._late:
            front.stop(grace)
        self._syncer.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._observers.close()
        self._set_healthy(False)
        for front in self._early:
            front.stop(grace)
        if self._cache.cache is not None:
            self._cache.cache.close()
        self._store.close()

    def _first_sync(self, stopped: threading.Event) -> None:
        """On a thread of its own, so that a bucket that does not answer does not hold up the end."""
        outcomes: SimpleQueue[BaseException | None] = SimpleQueue()

        def sync() -> None:
            try:
                self._syncer.initial()
            except BaseException as error:
                outcomes.put(error)
            else:
                outcomes.put(None)

        def interrupt() -> None:
            stopped.wait()
            if not self.ready:
                self._syncer.stop()
                outcomes.put(CancelledError("the gateway is stopping"))

        for target, name in ((sync, "first-sync"), (interrupt, "stop-watch")):
            threading.Thread(target=target, name=name, daemon=True).start()
        if (error := outcomes.get()) is not None:
            raise error

    def _set_ready(self, ready: bool) -> None:
        if ready == self.ready:
            return
        self.ready = ready
        self.metrics.status.labels("ready", "store").set(ready)
        log.info("changing probe status", status="ready" if ready else "not-ready")
        for callback in self._ready_callbacks:
            callback(ready)

    def _set_healthy(self, healthy: bool) -> None:
        if healthy == self.healthy:
            return
        self.healthy = healthy
        self.metrics.status.labels("healthy", "store").set(healthy)
        log.info("changing probe status", status="healthy" if healthy else "not-healthy")

    # --- building ---

    def _create(self, kind: str, ref: ComponentRef, role: str, where: str = "") -> Any:
        return self.plugins.create(kind, ref, {"registry": self.registry, "role": role}, where=where)

    def _meter(self, kind: str, ref: ComponentRef) -> tuple[CallMeter, str]:
        """A meter for what the reference makes, and its origin."""
        loaded = self.plugins.get(kind, ref.type)
        return plugin_calls(self.registry).meter(kind, loaded.name), loaded.label

    def _filter(self, ref: ComponentRef, where: str) -> MetaFilter:
        return MeasuredFilter(
            self._create("meta_filter", ref, "meta-filter", where=where), *self._meter("meta_filter", ref)
        )

    def _observer(self, ref: ComponentRef, where: str) -> Observer:
        return MeasuredObserver(self._create("observer", ref, "observer", where=where), *self._meter("observer", ref))

    def _behind_cache(self, namespace: str) -> ObjectStore:
        """The bucket, behind a cache if the settings want one."""
        ref = self.settings.caching_bucket
        if ref is None:
            return self._bucket
        return open_caching_bucket(self.plugins, ref, self._bucket, self.registry, namespace=namespace)

    def _build_syncer(self) -> BlockSyncer:
        settings = self.settings
        data_dir = settings.data_dir if settings.cache_index_header else None
        refs = list(enumerate(settings.meta_filters))
        filters = [(ref.type, self._filter(ref, f"meta_filters[{i}]")) for i, ref in refs]
        states = [state for ref in settings.meta_filters for state in self._states(ref)]
        fetcher = MetaFetcher(self._store, data_dir, filters, settings.sync, FetcherMetrics(self.registry, states))
        return BlockSyncer(
            fetcher,
            BlockLoader(self._store, data_dir, settings.index_header, self.metrics),
            BlockCatalog(),
            settings.sync,
            self.metrics,
            self._observers,
            data_dir=data_dir,
            idle_timeout=settings.index_header.idle_timeout if settings.index_header.lazy else 0.0,
        )

    def _open_observers(self) -> Observers:
        places = [(ref, f"observers[{i}]") for i, ref in enumerate(self.settings.observers)]
        if self.settings.tracing is not None:
            places.append((self.settings.tracing, "tracing"))
        return Observers([(ref.type, self._observer(ref, where)) for ref, where in places], self.registry)

    def _states(self, ref: ComponentRef) -> tuple[str, ...]:
        provider: Any = self.plugins.get("meta_filter", ref.type).provider
        states: tuple[str, ...] = provider.states
        return states

    def _open_frontends(self) -> None:
        names: dict[bool, list[str]] = {True: [], False: []}
        for i, ref in enumerate(self.settings.frontends):
            front = self._create("frontend", ref, "front-end", where=f"frontends[{i}]")
            provider: Any = self.plugins.get("frontend", ref.type).provider
            (self._early if provider.early else self._late).append(front)
            names[provider.early].append(provider.name)
        self._frontend_names = names[True] + names[False]
