"""Its factory needs an SDK that an extra would bring."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

import storegate


class Config(BaseModel, extra="forbid"):
    size: int = 1


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="SDK", summary="needs an SDK", config=Config, factory="storegate_sdk_parts:open_part"
    )
