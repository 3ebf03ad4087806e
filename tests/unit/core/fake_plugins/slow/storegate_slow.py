"""Takes its time to be imported, as a module that imports an SDK does."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pydantic import BaseModel

import storegate

time.sleep(0.06)  # tests lower the threshold


class Config(BaseModel, extra="forbid"):
    size: int = 1


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(name="SLOW", summary="slow", config=Config, factory="storegate_slow:open_part")
