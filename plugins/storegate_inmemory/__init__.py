"""The cache IN-MEMORY: least recently used values of this process."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

import storegate
from storegate.config.units import ByteSize


class InMemoryConfig(BaseModel):
    """Settings of an IN-MEMORY cache."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_size: ByteSize = Field(default=250 * 1024**2, ge=0, description="What all items together may take.")
    max_item_size: ByteSize = Field(
        default=125 * 1024**2, ge=0, description="Larger values are not stored; never more than max_size."
    )


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="IN-MEMORY",
        summary="least recently used values in the memory of this process",
        config=InMemoryConfig,
        factory="storegate_inmemory.cache:open_cache",
    )
