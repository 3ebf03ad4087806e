"""The children of one tenant, looked up once: to find them by labels costs more than to observe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storegate.metrics import Metrics
    from storegate.query.stats import QueryStats

DATA_TYPES = ("postings", "series", "chunks")
ENCODE, DECODE = "encode", "decode"


class SeriesCallMetrics:
    """The histograms of one tenant's Series calls."""

    def __init__(self, metrics: Metrics, tenant: str) -> None:
        self._touched = [metrics.series_data_touched.labels(kind, tenant) for kind in DATA_TYPES]
        self._fetched = [metrics.series_data_fetched.labels(kind, tenant) for kind in DATA_TYPES]
        self._touched_bytes = [metrics.series_data_size_touched_bytes.labels(kind, tenant) for kind in DATA_TYPES]
        self._fetched_bytes = [metrics.series_data_size_fetched_bytes.labels(kind, tenant) for kind in DATA_TYPES]
        self._blocks = metrics.series_blocks_queried.labels(tenant)
        self._get_all = metrics.series_get_all_duration_seconds.labels(tenant)
        self._merge = metrics.series_merge_duration_seconds.labels(tenant)
        self._series = metrics.series_result_series.labels(tenant)
        self._postings_bytes = metrics.postings_size_bytes.labels(tenant)

    def observe(self, stats: QueryStats) -> None:
        s = stats
        for children, values in (
            (self._touched, (s.postings_touched, s.series_touched, s.chunks_touched)),
            (self._fetched, (s.postings_fetched, s.series_fetched, s.chunks_fetched)),
            (
                self._touched_bytes,
                (s.postings_touched_size_sum, s.series_touched_size_sum, s.chunks_touched_size_sum),
            ),
            (
                self._fetched_bytes,
                (s.postings_fetched_size_sum, s.series_fetched_size_sum, s.chunks_fetched_size_sum),
            ),
        ):
            for child, value in zip(children, values, strict=True):
                child.observe(value)
        self._blocks.observe(s.blocks_queried)
        self._get_all.observe(s.get_all_seconds)
        self._merge.observe(s.merge_seconds)
        self._series.observe(s.merged_series_count)
        self._postings_bytes.observe(s.postings_touched_size_sum + s.postings_fetched_size_sum)


class FetchMetrics:
    """What the stages of one tenant's requests count while they fetch. Thread-safe."""

    def __init__(self, metrics: Metrics, tenant: str) -> None:
        self.postings = metrics.postings_fetch_duration_seconds.labels(tenant)
        self.series = metrics.series_fetch_duration_seconds.labels(tenant)
        self.series_sum = metrics.series_fetch_duration_sum_seconds.labels(tenant)
        self.chunks = metrics.chunks_fetch_duration_seconds.labels(tenant)
        self.chunks_sum = metrics.chunks_fetch_duration_sum_seconds.labels(tenant)
        self.series_refetches = metrics.series_refetches_total.labels(tenant)
        self.chunk_refetches = metrics.chunk_refetches_total.labels(tenant)
        self.empty_postings = metrics.empty_postings_total.labels(tenant)
        self._original = metrics.cached_postings_original_size_bytes_total.labels(tenant)
        self._encoded = metrics.cached_postings_compressed_size_bytes_total.labels(tenant)
        self._codings = {op: metrics.cached_postings_compressions_total.labels(op, tenant) for op in (ENCODE, DECODE)}
        self._coding_errors = {
            op: metrics.cached_postings_compression_errors_total.labels(op, tenant) for op in (ENCODE, DECODE)
        }
        self._coding_seconds = {
            op: metrics.cached_postings_compression_time_seconds_total.labels(op, tenant) for op in (ENCODE, DECODE)
        }

    def encoded(self, lists: int, original: int, size: int, seconds: float) -> None:
        """So many lists became cache values; bytes before and after."""
        self._codings[ENCODE].inc(lists)
        self._coding_seconds[ENCODE].inc(seconds)
        self._original.inc(original)
        self._encoded.inc(size)

    def decoded(self, lists: int, failed: int, seconds: float) -> None:
        """So many cache values were read, of which some were not what had been stored."""
        self._codings[DECODE].inc(lists)
        self._coding_seconds[DECODE].inc(seconds)
        if failed:
            self._coding_errors[DECODE].inc(failed)
