"""The object store FSSPEC: every file system that fsspec knows, as a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

import storegate


class FsspecConfig(BaseModel):
    """Settings of an FSSPEC bucket."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    url: str = Field(
        description="Where the bucket lies: `sftp://host/blocks`, `memory://x`, `https://host/blocks`; no credentials."
    )
    options: dict[str, Any] = Field(
        default={}, description="Arguments of the file system, without secrets; its own documentation lists them."
    )
    secrets: dict[str, SecretStr] = Field(
        default={}, description="More arguments, which are not shown anywhere: passwords, tokens, keys."
    )
    read_only: bool = Field(default=False, description="Whether writing is refused.")

    @field_validator("url")
    @classmethod
    def _with_a_protocol(cls, value: str) -> str:
        protocol, separator, rest = value.partition("://")
        if not protocol or not separator:
            raise ValueError("must begin with the protocol, such as sftp://")
        if "@" in rest.partition("/")[0]:
            raise ValueError("must not hold credentials: put them under secrets")
        return value


@storegate.hookimpl
def storegate_object_stores() -> Iterator[storegate.ObjectStoreProvider]:
    yield storegate.ObjectStoreProvider(
        name="FSSPEC",
        summary="any file system of fsspec: SFTP, HDFS, WebDAV, HTTP and dozens more",
        config=FsspecConfig,
        factory="storegate_fsspec.store:open_store",
    )
