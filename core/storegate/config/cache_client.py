"""Settings that clients of remote caches have in common (operations 11).

A plugin inherits `RemoteCacheConfig` and gives its cache an attribute `limits` made from it:

    class AcmeConfig(RemoteCacheConfig):
        address: str

    limits = CacheLimits(timeout=1.0, **config.limits())
"""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from storegate.config.units import Duration
from storegate.types import BreakerLimits


class CircuitBreakerConfig(BaseModel):
    """When writes to a failing cache are stepped over. Reads have a breaker of their own, which is always on."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    enabled: bool = Field(default=False, description="Step over writes while they fail.")
    half_open_max_requests: int = Field(
        default=10, ge=1, description="Trials after a pause, which must all succeed before writes go on."
    )
    open_duration: Duration = Field(default=5.0, gt=0, description="How long writes are stepped over.")
    min_requests: int = Field(default=50, ge=1, description="Writes within ten seconds before failures are judged.")
    consecutive_failures: int = Field(default=5, ge=1, description="So many failures in a row are too many.")
    failure_percent: float = Field(default=0.05, gt=0, le=1, description="Such a share of failures (0 to 1) is, too.")

    def limits(self) -> BreakerLimits | None:
        """None when it is not enabled."""
        if not self.enabled:
            return None
        return BreakerLimits(
            min_requests=self.min_requests,
            consecutive_failures=self.consecutive_failures,
            failure_percent=self.failure_percent,
            half_open_max_requests=self.half_open_max_requests,
            open_duration=self.open_duration,
        )


class CommonLimits(TypedDict):
    """Arguments of `CacheLimits`."""

    get_concurrency: int
    set_concurrency: int
    set_queue: int
    set_breaker: BreakerLimits | None


def _or_defaults(value: Any) -> Any:
    return {} if value is None else value


class RemoteCacheConfig(BaseModel):
    """Strict about names, and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    max_async_concurrency: int = Field(default=20, ge=1, description="Threads that write values.")
    max_async_buffer_size: int = Field(
        default=10_000, ge=1, description="Values that wait to be written; further ones are dropped."
    )
    max_get_multi_concurrency: int = Field(default=100, ge=0, description="Reads at once; 0: no limit.")
    set_async_circuit_breaker_config: Annotated[CircuitBreakerConfig, BeforeValidator(_or_defaults)] = Field(
        default_factory=CircuitBreakerConfig, description="When writes are stepped over."
    )

    def limits(self) -> CommonLimits:
        """What these keys mean for `CacheLimits`."""
        return CommonLimits(
            get_concurrency=self.max_get_multi_concurrency,
            set_concurrency=self.max_async_concurrency,
            set_queue=self.max_async_buffer_size,
            set_breaker=self.set_async_circuit_breaker_config.limits(),
        )
