"""Written for a plugin API that is still to come."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

import storegate


class Config(BaseModel, extra="forbid"):
    size: int = 1


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="NEW", summary="ahead of its time", config=Config, factory="storegate_newer:open_part", api="1.99"
    )
