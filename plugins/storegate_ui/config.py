"""What an operator can set for the pages. Imports nothing heavy: it is read to list plugins."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from storegate.config.units import Duration


class UiConfig(BaseModel):
    """Durations are seconds or text such as `2m`. What the pages allow is in the settings `web`."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    refresh: Duration = Field(30.0, ge=0, description="how often an open block map asks for news; 0 is never")
