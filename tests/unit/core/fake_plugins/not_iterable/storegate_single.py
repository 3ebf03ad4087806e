"""Returns a provider instead of yielding it."""

from __future__ import annotations

from pydantic import BaseModel

import storegate


class Config(BaseModel, extra="forbid"):
    size: int = 1


@storegate.hookimpl
def storegate_caches() -> storegate.CacheProvider:
    return storegate.CacheProvider(
        name="SINGLE", summary="not in an iterable", config=Config, factory="storegate_single:open_part"
    )
