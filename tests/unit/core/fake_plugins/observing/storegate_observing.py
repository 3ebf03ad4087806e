"""A meta filter, an observer and a local cache that can be made to fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

import storegate
from storegate.query.stats import QueryStats


class Config(BaseModel, extra="forbid"):
    fail: bool = False


class Part:
    """All three in one."""

    local = True

    def __init__(self, config: Config, context: storegate.PluginContext) -> None:
        self._fail = config.fail

    def select(self, metas: Mapping[str, storegate.BlockMeta], context: storegate.FilterContext) -> dict[str, str]:
        self._maybe_fail()
        return {}

    def block_loaded(self, meta: storegate.BlockMeta) -> None:
        self._maybe_fail()

    def block_dropped(self, meta: storegate.BlockMeta, reason: str) -> None:
        self._maybe_fail()

    def query_finished(self, stats: QueryStats) -> None:
        self._maybe_fail()

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {}

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        pass

    def close(self) -> None:
        pass

    def _maybe_fail(self) -> None:
        if self._fail:
            raise ZeroDivisionError("a defect")


@storegate.hookimpl
def storegate_meta_filters() -> Iterator[storegate.MetaFilterProvider]:
    yield storegate.MetaFilterProvider(
        name="seeing", summary="drops nothing", config=Config, factory="storegate_observing:Part"
    )


@storegate.hookimpl
def storegate_observers() -> Iterator[storegate.ObserverProvider]:
    yield storegate.ObserverProvider(
        name="seeing", summary="notes nothing", config=Config, factory="storegate_observing:Part"
    )


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="SEEING", summary="keeps nothing", config=Config, factory="storegate_observing:Part"
    )
