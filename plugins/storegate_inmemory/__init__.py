"""The cache IN-MEMORY: least recently used values of this process."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field, model_validator

import storegate
from storegate.config.units import ByteSize


class InMemoryConfig(BaseModel):
    """Settings of an IN-MEMORY cache."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    max_size: ByteSize = Field(default=250 * 1024**2, ge=0, description="What all items together may take.")
    max_item_size: ByteSize = Field(
        default=125 * 1024**2, ge=0, description="Larger values are not stored; at most max_size, by default too."
    )

    @model_validator(mode="after")
    def _one_item_fits(self) -> InMemoryConfig:
        if "max_item_size" in self.model_fields_set and self.max_item_size > self.max_size:
            raise ValueError(
                f"max_item_size ({self.max_item_size} bytes) is more than max_size ({self.max_size} bytes): lower it, "
                "or leave it out"
            )
        return self


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="IN-MEMORY",
        summary="least recently used values in the memory of this process",
        config=InMemoryConfig,
        factory="storegate_inmemory.cache:open_cache",
    )
