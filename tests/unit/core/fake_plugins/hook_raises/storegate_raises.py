"""A hook that fails after its first provider."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

import storegate


class Config(BaseModel, extra="forbid"):
    size: int = 1


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="HALF", summary="yielded before the failure", config=Config, factory="storegate_raises:open_part"
    )
    raise RuntimeError("no licence found")
