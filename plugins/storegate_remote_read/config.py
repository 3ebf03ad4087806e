"""What an operator can set for remote read. Imports nothing heavy: it is read to list plugins."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from storegate.config.units import ByteSize, Duration

RESOLUTIONS = {"raw": 0, "5m": 300_000, "1h": 3_600_000}
"""ms."""


class RemoteReadConfig(BaseModel):
    """Durations are seconds or text such as `2m`, sizes are bytes or text such as `1MiB`."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    path: str = Field("/api/v1/read", pattern=r"^/[\w./-]*\w$", description="where requests are taken")
    replica_labels: tuple[str, ...] = Field(
        (), description="labels that are removed; series that are then equal become one, their samples put together"
    )
    max_resolution: Literal["raw", "5m", "1h"] = Field(
        "raw", description="coarsest blocks that are read; a time without them is filled from finer ones"
    )
    timeout: Duration = Field(300.0, description="how long a request may take, its answer included; 0 is no limit")
    max_request_size: ByteSize = Field(1 << 20, gt=0, description="largest request, compressed or not")
    max_frame_size: ByteSize = Field(
        32 << 20, gt=0, description="answers of streamed chunks: a larger series is split between its chunks"
    )
    max_samples: int = Field(50_000_000, ge=0, description="answers of samples: most samples of one; 0 is no limit")
    grace_period: Duration = Field(120.0, description="how long running requests may take to end at shutdown")
