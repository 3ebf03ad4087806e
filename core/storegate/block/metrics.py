"""Metrics of the meta fetcher, under the names of `thanos store`."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CORRUPTED = "corrupted-meta-json"
NO_META = "no-meta-json"
LOADED = "loaded"
FAILED = "failed"
STATES = (
    CORRUPTED,
    NO_META,
    LOADED,
    "too-fresh",
    FAILED,
    "label-excluded",
    "time-excluded",
    "duplicate",
    "marked-for-deletion",
    "marked-for-no-compact",
    "parquet-migrated",
)
SYNC_SECONDS = (0.01, 1, 10, 100, 300, 600, 1000)


class FetcherMetrics:
    """`thanos_blocks_meta_*`. One instance per registry. `states` are those of filters that Thanos does not have."""

    def __init__(self, registry: CollectorRegistry, states: Iterable[str] = ()) -> None:
        def counter(name: str, text: str) -> Counter:
            return Counter(f"thanos_blocks_meta_{name}", text, registry=registry)

        self.syncs = counter("syncs_total", "Meta fetches that were begun.")
        self.sync_failures = counter("sync_failures_total", "Meta fetches that failed or saw only a part.")
        self.base_syncs = counter("base_syncs_total", "Listings of the bucket.")
        self.cache_busts = counter("base_cache_busts_total", "meta.json objects that changed since they were read.")
        self.duration = Histogram(
            "thanos_blocks_meta_sync_duration_seconds", "Time to fetch metas.", buckets=SYNC_SECONDS, registry=registry
        )
        self.synced = Gauge(
            "thanos_blocks_meta_synced", "Blocks of the last fetch by state.", ["state"], registry=registry
        )
        self._states = dict.fromkeys((*STATES, *states))
        self.publish(())
        modified = Gauge("thanos_blocks_meta_modified", "Metas that were changed.", ["modified"], registry=registry)
        modified.labels("replica-label-removed").set(0)

    def publish(self, states: Iterable[str]) -> None:
        """Replace the gauges by what one fetch found; `states` has one entry per block."""
        tally = Tally(states)
        self._states |= dict.fromkeys(tally)
        for state in self._states:
            self.synced.labels(state).set(tally[state])
