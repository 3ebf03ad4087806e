"""A hook name with a letter missing."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

import storegate


class Config(BaseModel, extra="forbid"):
    size: int = 1


@storegate.hookimpl
def storegate_cachs() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="SPELT", summary="never seen", config=Config, factory="storegate_misspelt:open_part"
    )
