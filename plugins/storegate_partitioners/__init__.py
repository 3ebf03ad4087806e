"""Partitioners: `gap` joins byte ranges that lie close together, `cost` those that are cheaper to read together."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field, model_validator

import storegate
from storegate.config.units import ByteSize


class GapConfig(BaseModel):
    """Settings of the gap partitioner."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    max_gap: ByteSize = Field(default=512 * 1024, ge=0, description="Read over gaps of at most this many bytes.")


class CostConfig(BaseModel):
    """Settings of the cost partitioner."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    first_gap: ByteSize = Field(default=512 * 1024, ge=0, description="Gap until enough reads were measured.")
    min_gap: ByteSize = Field(default=16 * 1024, ge=0, description="Gaps up to this are always read over.")
    max_gap: ByteSize = Field(default=8 << 20, ge=0, description="Larger gaps are never read over.")
    parallel: int = Field(default=16, ge=1, description="Reads of one query that are taken to run at the same time.")
    request_weight: float = Field(
        default=4.0,
        ge=0,
        description="What a request costs besides its time: more gives fewer requests and more bytes.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> CostConfig:
        if self.min_gap > self.max_gap:
            raise ValueError(f"min_gap ({self.min_gap}) is larger than max_gap ({self.max_gap})")
        return self


@storegate.hookimpl
def storegate_partitioners() -> Iterator[storegate.PartitionerProvider]:
    yield storegate.PartitionerProvider(
        name="gap",
        summary="one read for ranges with at most max_gap bytes between them",
        config=GapConfig,
        factory="storegate_partitioners.gap:make_partitioner",
    )
    yield storegate.PartitionerProvider(
        name="cost",
        summary="reads that take least, by the latency and throughput of the object store, measured all the time",
        config=CostConfig,
        factory="storegate_partitioners.cost:make_partitioner",
    )
