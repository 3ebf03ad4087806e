"""The meta filter `example-cold-blocks`: serve only blocks whose data is old."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, Field

import storegate
from storegate.config.units import Duration


class ColdBlocksConfig(BaseModel, extra="forbid"):
    """Settings of `example-cold-blocks`."""

    older_than: Duration = Field(description="Blocks that end later than so long ago are left out.")


@storegate.hookimpl
def storegate_meta_filters() -> Iterator[storegate.MetaFilterProvider]:
    yield storegate.MetaFilterProvider(
        name="example-cold-blocks",
        summary="serve only blocks whose data is old",
        config=ColdBlocksConfig,
        factory="storegate_example.cold_blocks:make_filter",
        states=("too-young",),
        api="1.0",
    )
