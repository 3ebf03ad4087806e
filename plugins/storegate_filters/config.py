"""Settings of the meta filters."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from storegate.config.units import Duration, TimeBound
from storegate_filters.relabel import RelabelRule


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class TimePartitionConfig(_Config):
    """Settings of `time-partition`; relative times are read anew at each sync."""

    min_time: TimeBound = Field(default="0000-01-01T00:00:00Z", description="Leave out blocks that end before.")
    max_time: TimeBound = Field(default="9999-12-31T23:59:59Z", description="Leave out blocks that begin after.")


class LabelShardConfig(_Config):
    """Settings of `label-shard`."""

    rules: tuple[RelabelRule, ...] = Field(default=(), description="Relabel rules, applied in order.")


class ConsistencyDelayConfig(_Config):
    """Settings of `consistency-delay`."""

    delay: Duration = Field(default=0.0, description="Minimum age of fresh blocks; 0 is off.")


class IgnoreDeletionMarkConfig(_Config):
    """Settings of `ignore-deletion-mark`."""

    delay: Duration = Field(default=24 * 3600.0, description="How long a marked block is still served.")


class DeduplicateConfig(_Config):
    """`deduplicate` has no settings."""


class ExpressionConfig(_Config):
    """Settings of `expression`: one of the two."""

    keep: str | None = Field(default=None, description="Leave out blocks for which this condition is false.")
    drop: str | None = Field(default=None, description="Leave out blocks for which this condition is true.")

    @field_validator("keep", "drop")
    @classmethod
    def _parses(cls, value: str | None) -> str | None:
        if value is not None:
            from storegate_filters.expression_language import parse  # the parser is needed by few configurations

            parse(value)
        return value

    @model_validator(mode="after")
    def _one(self) -> ExpressionConfig:
        if (self.keep is None) is (self.drop is None):
            raise ValueError("give either keep or drop")
        return self
