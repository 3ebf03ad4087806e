"""A sound plugin that offers one provider of each kind."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

import storegate


class Config(BaseModel, extra="forbid"):
    size: int = 1


@storegate.hookimpl
def storegate_object_stores() -> Iterator[storegate.ObjectStoreProvider]:
    yield storegate.ObjectStoreProvider(
        name="ACME", summary="a sound provider", config=Config, factory="storegate_acme_parts:open_part"
    )


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="ACME-CACHE", summary="a sound provider", config=Config, factory="storegate_acme_parts:open_part"
    )


@storegate.hookimpl
def storegate_meta_filters() -> Iterator[storegate.MetaFilterProvider]:
    yield storegate.MetaFilterProvider(
        name="acme-filter", summary="a sound provider", config=Config, factory="storegate_acme_parts:open_part"
    )


@storegate.hookimpl
def storegate_partitioners() -> Iterator[storegate.PartitionerProvider]:
    yield storegate.PartitionerProvider(
        name="acme-partitioner", summary="a sound provider", config=Config, factory="storegate_acme_parts:open_part"
    )


@storegate.hookimpl
def storegate_frontends() -> Iterator[storegate.FrontendProvider]:
    yield storegate.FrontendProvider(
        name="acme-front", summary="a sound provider", config=Config, factory="storegate_acme_parts:open_part"
    )


@storegate.hookimpl
def storegate_observers() -> Iterator[storegate.ObserverProvider]:
    yield storegate.ObserverProvider(
        name="acme-observer", summary="a sound provider", config=Config, factory="storegate_acme_parts:open_part"
    )
