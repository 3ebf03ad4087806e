"""Written for a plugin API of long ago."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

import storegate


class Config(BaseModel, extra="forbid"):
    size: int = 1


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="OLD", summary="outdated", config=Config, factory="storegate_old:open_part", api="0.9"
    )
