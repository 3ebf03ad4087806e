"""The bucket that a command looks at: its store, and the blocks that a gateway of these settings would see."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client import CollectorRegistry

from storegate import logs
from storegate.block.fetcher import FetchResult, MetaFetcher
from storegate.block.metrics import FetcherMetrics
from storegate.config.flags import configure
from storegate.config.settings import Settings
from storegate.manager import PluginManager
from storegate.objstore.opening import open_store
from storegate.types import ObjectStore


@dataclass(frozen=True, slots=True)
class Listing:
    """How blocks are found here, whatever the gateway does: one listing tells sizes and marks, too."""

    meta_concurrency: int
    strategy: Literal["recursive"] = "recursive"


class Bucket:
    """An opened bucket. One thread uses it."""

    def __init__(
        self, settings: Settings, plugins: PluginManager, store: ObjectStore, registry: CollectorRegistry
    ) -> None:
        self.settings = settings
        self.store = store
        self.registry = registry
        filters = [
            (ref.type, plugins.create("meta_filter", ref, {"registry": registry}, where=f"meta_filters[{i}]"))
            for i, ref in enumerate(settings.meta_filters)
        ]
        self._fetcher = MetaFetcher(
            store, None, filters, Listing(settings.sync.meta_concurrency), FetcherMetrics(registry)
        )

    def fetch(self) -> FetchResult:
        """What is in the bucket, and what the filters make of it. Raises what listing raises, and FilterError."""
        return self._fetcher.fetch(time.time_ns() // 1_000_000)

    def without(self, result: FetchResult, ulids: set[str]) -> FetchResult:
        """The same as if these blocks did not exist."""
        return self._fetcher.refilter(result, ulids)


@contextmanager
def open_bucket(flags: Mapping[str, Any]) -> Iterator[Bucket]:
    """The bucket of a command line's flags; closed at the end. Raises ConfigurationError."""
    settings = configure(flags).settings
    logs.configure(settings.log.level, settings.log.format)
    plugins = PluginManager.load(settings.plugins.disable, settings.plugins.allow)
    registry = CollectorRegistry()
    store = open_store(plugins, settings.object_store, registry)
    try:
        yield Bucket(settings, plugins, store, registry)
    finally:
        store.close()
