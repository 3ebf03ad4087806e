"""The hooks of storegate: the page that a plugin author reads first.

A plugin is an importable module named by an entry point of the group `storegate`:

    [project.entry-points.storegate]
    acme = "storegate_acme"

The module holds functions with the names below, marked `@storegate.hookimpl`. Each is called once, at startup, and
yields providers: frozen records with a name, a pydantic model of the configuration, and the import string of a
factory. Keep the module light: the factory's module, and any SDK it needs, is imported when the configuration uses it.

    import storegate

    @storegate.hookimpl
    def storegate_object_stores():
        yield storegate.ObjectStoreProvider(
            name="ACME", summary="Acme cold storage", config=AcmeConfig, factory="storegate_acme.bucket:open_bucket"
        )
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from storegate.types import (
    CacheProvider,
    FrontendProvider,
    MetaFilterProvider,
    ObjectStoreProvider,
    ObserverProvider,
    PartitionerProvider,
)

hookspec = pluggy.HookspecMarker("storegate")
hookimpl = pluggy.HookimplMarker("storegate")


@hookspec
def storegate_object_stores() -> Iterable[ObjectStoreProvider]:  # type: ignore[empty-body]
    """Places where blocks lie."""


@hookspec
def storegate_caches() -> Iterable[CacheProvider]:  # type: ignore[empty-body]
    """Key-value caches, used for the index cache and the caching bucket alike."""


@hookspec
def storegate_meta_filters() -> Iterable[MetaFilterProvider]:  # type: ignore[empty-body]
    """Rules that leave blocks out; the configuration lists them in order."""


@hookspec
def storegate_partitioners() -> Iterable[PartitionerProvider]:  # type: ignore[empty-body]
    """Ways to join byte ranges into reads."""


@hookspec
def storegate_frontends() -> Iterable[FrontendProvider]:  # type: ignore[empty-body]
    """Servers that answer clients."""


@hookspec
def storegate_observers() -> Iterable[ObserverProvider]:  # type: ignore[empty-body]
    """Listeners for blocks and finished queries."""
