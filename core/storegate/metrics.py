"""The engine's metrics: names, types, labels and buckets of `thanos store`, so that its dashboards and alerts work.

Attribute names are the metric names without `thanos_bucket_store_` or `thanos_`. Every tenant label must pass
`Metrics.tenant`: the name comes from an unchecked request header, and each new one costs dozens of time series.
"""

from __future__ import annotations

import platform
import sys
import threading
from collections.abc import Callable, Iterable
from functools import wraps
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from storegate.tenant_metrics import FetchMetrics, SeriesCallMetrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from storegate.query.stats import QueryStats

KIB = 1024
MIB = 1024 * KIB
DURATIONS = (0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120)  # s
SIZES = (32, 256, 512, KIB, 32 * KIB, 256 * KIB, 512 * KIB, MIB, 32 * MIB, 256 * MIB, 512 * MIB)  # bytes
POSTINGS_SIZES = (*SIZES[:-2], 128 * MIB, 256 * MIB, 512 * MIB, 768 * MIB, 1024 * MIB)
LOADS = (0.1, 0.2, 0.5, 1, 2, 5, 15, 30, 60, 90, 120, 300)  # s, opening a block
HEADER_LOADS = (0.01, 0.02, 0.05, *LOADS)
GATE_WAITS = (0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720)  # s
MAX_TENANTS = 200
OTHER_TENANTS = "other"
DEFAULT_TENANT = "default-tenant"


Families = TypeVar("Families")
Arguments = ParamSpec("Arguments")


def once_per_registry(
    make: Callable[Concatenate[CollectorRegistry, Arguments], Families],
) -> Callable[Concatenate[CollectorRegistry, Arguments], Families]:
    """Let several users of one registry share metric families: the same arguments give what the first call made."""
    lock = threading.Lock()
    made: WeakKeyDictionary[CollectorRegistry, dict[Any, Families]] = WeakKeyDictionary()

    @wraps(make)
    def shared(registry: CollectorRegistry, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Families:
        key = (args, tuple(sorted(kwargs.items())))
        with lock:
            of_registry = made.setdefault(registry, {})
            if key not in of_registry:
                of_registry[key] = make(registry, *args, **kwargs)
            return of_registry[key]

    return shared


def doubling(first: float, count: int) -> tuple[float, ...]:
    """`count` bucket bounds, each twice the one before."""
    return tuple(first * 2**n for n in range(count))


class BulkHistogram(Collector):
    """A histogram by tenant that takes a whole array of values at once.

    One query may bring a hundred thousand values; `Histogram.observe` would hold the interpreter for each of them.
    """

    def __init__(self, name: str, documentation: str, buckets: Iterable[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = np.array(tuple(buckets), dtype=np.float64)
        self._counts: dict[str, NDArray[np.int64]] = {}  # one more than bounds: the last is +Inf
        self._sums: dict[str, float] = {}
        self._lock = threading.Lock()
        registry.register(self)

    def observe_array(self, tenant: str, values: NDArray[Any]) -> None:
        """Count every value; `tenant` has passed `Metrics.tenant`. Thread-safe."""
        if not len(values):
            return
        found = np.bincount(np.searchsorted(self._bounds, values, side="left"), minlength=len(self._bounds) + 1)
        total = float(values.sum())
        with self._lock:
            self._counts[tenant] = found + self._counts.get(tenant, 0)
            self._sums[tenant] = total + self._sums.get(tenant, 0.0)

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=["tenant"])
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        with self._lock:
            for tenant, counts in self._counts.items():
                cumulative = [float(count) for count in accumulate(counts.tolist())]
                family.add_metric([tenant], list(zip(bounds, cumulative, strict=True)), self._sums[tenant])
        yield family

    def describe(self) -> Iterable[HistogramMetricFamily]:
        yield HistogramMetricFamily(self._name, self._documentation, labels=["tenant"])


class Renamed(Collector):
    """A histogram without labels once more, under a name that it had before."""

    def __init__(self, source: Histogram, name: str, documentation: str, registry: CollectorRegistry) -> None:
        self._source = source
        self._name = name
        self._documentation = documentation
        registry.register(self)

    def collect(self) -> Iterable[HistogramMetricFamily]:
        (family,) = self.describe()
        for found in self._source.collect():
            for sample in found.samples:
                family.samples.append(sample._replace(name=sample.name.replace(found.name, self._name)))
        yield family

    def describe(self) -> Iterable[HistogramMetricFamily]:
        yield HistogramMetricFamily(self._name, self._documentation)


class Metrics:
    """All metrics of the engine, registered in `registry`. One instance per registry. Thread-safe.

    Metrics of the meta fetcher, the object store and the caches live beside the code that owns them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        # Thanos has no `_created` series, and they would double what a scrape costs
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry
        self._tenants: set[str] = {DEFAULT_TENANT}
        self._tenants_lock = threading.Lock()
        self._series_calls: dict[str, SeriesCallMetrics] = {}
        self._fetches: dict[str, FetchMetrics] = {}
        self._add_blocks()
        self._add_series_calls()
        self._add_fetches()
        self._add_cached_postings()
        self._add_lazy_postings()
        self._add_gate()
        self._add_index_headers()
        self._add_server()
        self._add_process()
        self.fetches(DEFAULT_TENANT)  # at 0 from the start, so that rates begin with the first event

    def tenant(self, name: str) -> str:
        """The label value for a tenant: its name, or `other` once `MAX_TENANTS` different ones were seen."""
        if name in self._tenants:
            return name
        with self._tenants_lock:
            if len(self._tenants) >= MAX_TENANTS:
                return OTHER_TENANTS
            self._tenants.add(name)
        return name

    def observe_series(self, stats: QueryStats, sent_chunk_sizes: NDArray[Any] | None = None) -> None:
        """Observe all per-call histograms of one finished Series call, failed ones included. Counts nothing else.

        Costs some tens of microseconds: call it once, after the answer was sent. `sent_chunk_sizes` holds, for each
        series that was sent, the bytes of its encoded AggrChunks.
        """
        tenant = self.tenant(stats.tenant or DEFAULT_TENANT)
        call = self._series_calls.get(tenant)
        if call is None:
            call = self._series_calls.setdefault(tenant, SeriesCallMetrics(self, tenant))
        call.observe(stats)
        if sent_chunk_sizes is not None:
            self.sent_chunk_size_bytes.observe_array(tenant, sent_chunk_sizes)

    def fetches(self, tenant: str) -> FetchMetrics:
        """What counts the fetches of a tenant, whose name has passed `tenant`."""
        found = self._fetches.get(tenant)
        return found or self._fetches.setdefault(tenant, FetchMetrics(self, tenant))

    # --- registration ---

    def _counter(self, name: str, documentation: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"thanos_bucket_store_{name}", documentation, labels, registry=self.registry)

    def _gauge(self, name: str, documentation: str) -> Gauge:
        return Gauge(f"thanos_bucket_store_{name}", documentation, registry=self.registry)

    def _histogram(
        self, name: str, documentation: str, buckets: Iterable[float], labels: tuple[str, ...] = ()
    ) -> Histogram:
        return Histogram(
            f"thanos_bucket_store_{name}", documentation, labels, buckets=tuple(buckets), registry=self.registry
        )

    def _add_blocks(self) -> None:
        self.block_loads_total = self._counter("block_loads_total", "Blocks that were tried to open")
        self.block_load_failures_total = self._counter("block_load_failures_total", "Blocks that failed to open")
        self.block_drops_total = self._counter("block_drops_total", "Blocks that were removed")
        self.block_drop_failures_total = self._counter("block_drop_failures_total", "Blocks that failed to close")
        self.blocks_loaded = self._gauge("blocks_loaded", "Blocks that are open")
        self.blocks_last_loaded_timestamp_seconds = self._gauge(
            "blocks_last_loaded_timestamp_seconds", "When a block was last opened, in Unix seconds"
        )
        self.block_load_duration_seconds = self._histogram("block_load_duration_seconds", "Time to open a block", LOADS)

    def _add_series_calls(self) -> None:
        data, tenant = ("data_type", "tenant"), ("tenant",)
        items, sizes = doubling(200, 15), doubling(1024, 15)
        self.series_data_touched = self._histogram(
            "series_data_touched", "Items decoded for one Series call", items, data
        )
        self.series_data_fetched = self._histogram(
            "series_data_fetched", "Items read from the bucket for one Series call", items, data
        )
        self.series_data_size_touched_bytes = self._histogram(
            "series_data_size_touched_bytes", "Bytes decoded for one Series call", sizes, data
        )
        self.series_data_size_fetched_bytes = self._histogram(
            "series_data_size_fetched_bytes", "Bytes read from the bucket for one Series call", sizes, data
        )
        self.series_blocks_queried = self._histogram(
            "series_blocks_queried", "Blocks that one Series call read", doubling(1, 10), tenant
        )
        self.series_get_all_duration_seconds = self._histogram(
            "series_get_all_duration_seconds",
            "Time until all blocks of a Series call knew their postings",
            DURATIONS,
            tenant,
        )
        self.series_merge_duration_seconds = self._histogram(
            "series_merge_duration_seconds", "Time to merge and send the series of one call", DURATIONS, tenant
        )
        self.series_result_series = self._histogram(
            "series_result_series", "Series in the answer to one call", doubling(100, 15), tenant
        )
        self.sent_chunk_size_bytes = BulkHistogram(
            "thanos_bucket_store_sent_chunk_size_bytes", "Encoded chunks of one sent series", SIZES, self.registry
        )
        self.postings_size_bytes = self._histogram(
            "postings_size_bytes", "Bytes of postings touched and fetched for one call", POSTINGS_SIZES, tenant
        )
        self.queries_dropped_total = self._counter(
            "queries_dropped_total", "Queries that went over a limit", ("reason", "tenant")
        )
        for reason in ("bytes", "chunks", "series"):
            self.queries_dropped_total.labels(reason, DEFAULT_TENANT)

    def _add_fetches(self) -> None:
        tenant = ("tenant",)
        self.series_refetches_total = self._counter(
            "series_refetches_total", "Series that were longer than the estimate", tenant
        )
        self.chunk_refetches_total = self._counter(
            "chunk_refetches_total", "Chunks that were longer than the estimate", tenant
        )
        self.series_fetch_duration_seconds = self._histogram(
            "series_fetch_duration_seconds", "Time to read one batch of series", DURATIONS, tenant
        )
        self.series_fetch_duration_sum_seconds = self._histogram(
            "series_fetch_duration_sum_seconds", "Time to read the series of one block, all batches", DURATIONS, tenant
        )
        self.postings_fetch_duration_seconds = self._histogram(
            "postings_fetch_duration_seconds", "Time to read postings", DURATIONS, tenant
        )
        self.chunks_fetch_duration_seconds = self._histogram(
            "chunks_fetch_duration_seconds",
            "Time to read the chunks of one block, sum over parallel reads",
            DURATIONS,
            tenant,
        )
        self.chunks_fetch_duration_sum_seconds = self._histogram(
            "chunks_fetch_duration_sum_seconds", "Time to read the chunks of one block, wall time", DURATIONS, tenant
        )
        self.empty_postings_total = self._counter(
            "empty_postings_total", "Blocks that were queried and had no matching series", tenant
        )

    def _add_cached_postings(self) -> None:
        by_op, tenant = ("op", "tenant"), ("tenant",)
        self.cached_postings_compressions_total = self._counter(
            "cached_postings_compressions_total", "Postings encoded for and decoded from the index cache", by_op
        )
        self.cached_postings_compression_errors_total = self._counter(
            "cached_postings_compression_errors_total", "Postings that failed to encode or decode", by_op
        )
        self.cached_postings_compression_time_seconds_total = self._counter(
            "cached_postings_compression_time_seconds_total", "Time spent on encoding and decoding postings", by_op
        )
        self.cached_postings_original_size_bytes_total = self._counter(
            "cached_postings_original_size_bytes_total", "Postings before they were encoded", tenant
        )
        self.cached_postings_compressed_size_bytes_total = self._counter(
            "cached_postings_compressed_size_bytes_total", "Postings after they were encoded", tenant
        )

    def _add_lazy_postings(self) -> None:
        self.lazy_expanded_postings_total = self._counter(
            "lazy_expanded_postings_total", "Blocks whose expensive postings were left to a scan of the series"
        )
        self.lazy_expanded_posting_groups_total = self._counter(
            "lazy_expanded_posting_groups_total", "Matchers whose postings were not read", ("reason",)
        )
        for reason in ("keys_limit", "postings_size"):
            self.lazy_expanded_posting_groups_total.labels(reason)
        self.lazy_expanded_posting_size_bytes_total = self._counter(
            "lazy_expanded_posting_size_bytes_total", "Bytes of postings that were not read"
        )
        self.lazy_expanded_posting_series_overfetched_size_bytes_total = self._counter(
            "lazy_expanded_posting_series_overfetched_size_bytes_total", "Bytes of series that lazy matchers dropped"
        )

    def _add_gate(self) -> None:
        self.series_gate_queries_max = self._gauge("series_gate_queries_max", "Series calls that may run at once")
        self.series_gate_queries_in_flight = self._gauge("series_gate_queries_in_flight", "Series calls that run")
        self.series_gate_queries_total = self._counter("series_gate_queries_total", "Series calls that came in")
        self.series_gate_queries_duration_seconds = self._histogram(
            "series_gate_queries_duration_seconds", "Time that Series calls waited for their turn", GATE_WAITS
        )
        Renamed(  # dashboards and alerts that come with Thanos still ask for it
            self.series_gate_queries_duration_seconds,
            "thanos_bucket_store_series_gate_duration_seconds",
            "The same as thanos_bucket_store_series_gate_queries_duration_seconds, under its old name",
            self.registry,
        )

    def _add_index_headers(self) -> None:
        self.indexheader_download_duration_seconds = self._histogram(
            "indexheader_download_duration_seconds", "Time to build an index-header from the bucket", LOADS
        )
        self.indexheader_load_duration_seconds = self._histogram(
            "indexheader_load_duration_seconds", "Time to open an index-header", HEADER_LOADS
        )
        self.indexheader_lazy_load_total = self._counter("indexheader_lazy_load_total", "Lazy loads")
        self.indexheader_lazy_load_failed_total = self._counter("indexheader_lazy_load_failed_total", "Failed ones")
        self.indexheader_lazy_unload_total = self._counter("indexheader_lazy_unload_total", "Unloads after idling")
        self.indexheader_lazy_unload_failed_total = self._counter("indexheader_lazy_unload_failed_total", "Failed ones")
        self.indexheader_lazy_load_duration_seconds = self._histogram(
            "indexheader_lazy_load_duration_seconds", "Time to open an index-header at first use", HEADER_LOADS
        )

    def _add_server(self) -> None:
        self.store_server_series_requested = Histogram(
            "thanos_store_server_series_requested",
            "Series sent for one successful Series call",
            buckets=(1, 10, 100, 1e3, 1e4, 1e5, 1e6),
            registry=self.registry,
        )
        self.store_server_chunks_requested = Histogram(
            "thanos_store_server_chunks_requested",
            "Chunks sent for one successful Series call",
            buckets=(1, 100, 1e3, 1e4, 1e5, 1e7, 1e8, 1e9),
            registry=self.registry,
        )
        self.store_server_pending_series_requests = Gauge(
            "thanos_store_server_pending_series_requests", "Series calls that run or wait", registry=self.registry
        )

    def _add_process(self) -> None:
        self.build_info = Gauge(
            "thanos_build_info",
            "Always 1; the labels tell what runs",
            ("branch", "goarch", "goos", "goversion", "revision", "tags", "version"),
            registry=self.registry,
        )
        self.build_info.labels(
            branch="",
            goarch=platform.machine(),
            goos=sys.platform,
            revision="",
            tags="storegate",
            goversion=f"{platform.python_implementation().lower()}{platform.python_version()}",
            version=_version(),
        ).set(1)
        self.status = Gauge("thanos_status", "Probes: 1 is yes", ("check", "component"), registry=self.registry)
        for check in ("ready", "healthy"):
            self.status.labels(check, "store").set(0)


def _version() -> str:
    try:
        return version("storegate")
    except PackageNotFoundError:  # run from a source tree
        return ""
