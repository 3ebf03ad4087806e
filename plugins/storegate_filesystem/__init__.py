"""The object store FILESYSTEM: a folder as a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

import storegate


class FilesystemConfig(BaseModel):
    """Settings of a FILESYSTEM bucket."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    directory: Path = Field(description="The folder whose files are the objects; it must exist.")

    @field_validator("directory", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if not str(value or "").strip():
            raise ValueError("must name a folder")
        return value


@storegate.hookimpl
def storegate_object_stores() -> Iterator[storegate.ObjectStoreProvider]:
    yield storegate.ObjectStoreProvider(
        name="FILESYSTEM",
        summary="a folder on this machine, or on a mounted file system",
        config=FilesystemConfig,
        factory="storegate_filesystem.store:open_store",
    )
