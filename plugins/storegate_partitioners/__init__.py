"""The partitioner `gap`: join byte ranges that lie close together."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

import storegate
from storegate.config.units import ByteSize


class GapConfig(BaseModel):
    """Settings of the gap partitioner."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_gap: ByteSize = Field(default=512 * 1024, ge=0, description="Read over gaps of at most this many bytes.")


@storegate.hookimpl
def storegate_partitioners() -> Iterator[storegate.PartitionerProvider]:
    yield storegate.PartitionerProvider(
        name="gap",
        summary="one read for ranges with at most max_gap bytes between them",
        config=GapConfig,
        factory="storegate_partitioners.gap:make_partitioner",
    )
