"""A filter whose states are one word where a tuple is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

import storegate

STATES: Any = "dropped"


class Config(BaseModel, extra="forbid"):
    size: int = 1


@storegate.hookimpl
def storegate_meta_filters() -> Iterator[storegate.MetaFilterProvider]:
    yield storegate.MetaFilterProvider(
        name="WORDS", summary="a sound summary", config=Config, factory="storegate_states:make", states=STATES
    )
