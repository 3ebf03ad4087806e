"""A configuration that accepts unknown keys."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

import storegate


class Config(BaseModel):
    size: int = 1


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="LOOSE", summary="takes any key", config=Config, factory="storegate_loose:open_part"
    )
