"""An object store for benchmarks: a folder behind latency and a limited bandwidth, as a plugin like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

import storegate


class SlowFolderConfig(BaseModel):
    """Seconds per request, and bytes per second of each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    directory: Path
    latency: float
    bandwidth: float


@storegate.hookimpl
def storegate_object_stores() -> Iterator[storegate.ObjectStoreProvider]:
    yield storegate.ObjectStoreProvider(
        name="SLOW-FOLDER", summary="a slow folder", config=SlowFolderConfig, factory="slow_folder:open_store"
    )


def open_store(config: SlowFolderConfig, context: storegate.PluginContext) -> storegate.ObjectStore:
    from storegate.testing.faults import SlowStore
    from storegate_filesystem.store import FilesystemStore

    return SlowStore(FilesystemStore(str(config.directory)), latency=config.latency, bandwidth=config.bandwidth)
