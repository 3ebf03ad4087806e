"""The observer slow-query-log: a line for each query that took long, with where its time went."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

import storegate
from storegate.config.units import Duration


class SlowQueryConfig(BaseModel):
    """Settings of the slow-query log."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    threshold: Duration = Field(
        default=10.0,
        description="Queries that took longer are logged; time in which the client was waited for is free.",
    )
    blocks: int = Field(default=5, ge=0, description="How many blocks are named, those with most reading time first.")
    matchers_length: int = Field(default=1000, ge=20, description="Matchers are cut to so many characters.")


@storegate.hookimpl
def storegate_observers() -> Iterator[storegate.ObserverProvider]:
    yield storegate.ObserverProvider(
        name="slow-query-log",
        summary="a log line for each query above a threshold, by stage, block and matcher",
        config=SlowQueryConfig,
        factory="storegate_slow_queries.observer:make_observer",
    )
