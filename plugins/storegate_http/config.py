"""What an operator can set for the HTTP front end. Imports nothing heavy: it is read to list plugins."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from storegate.config.units import Duration


class HttpConfig(BaseModel):
    """Durations are seconds or text such as `2m`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field("0.0.0.0:10902", description="where to listen: host:port")
    grace_period: Duration = Field(120.0, description="how long running requests may take to end at shutdown")
    config_file: Path | None = Field(None, description="file with TLS and authentication settings")
