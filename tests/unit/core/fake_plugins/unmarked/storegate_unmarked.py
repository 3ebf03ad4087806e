"""A hook without its marker."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

import storegate


class Config(BaseModel, extra="forbid"):
    size: int = 1


def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="BARE", summary="never seen", config=Config, factory="storegate_unmarked:open_part"
    )
