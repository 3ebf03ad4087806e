"""Yields the record of another kind."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

import storegate


class Config(BaseModel, extra="forbid"):
    size: int = 1


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.PartitionerProvider(
        name="WRONG", summary="of another kind", config=Config, factory="storegate_wrong:open_part"
    )
