"""Settings of an S3 bucket: the keys of operations 12 with their defaults and constraints."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from storegate.config.http_client import HttpClientConfig

MIB = 1024 * 1024
DEFAULT_PART_SIZE = 64 * MIB
SMALLEST_PART = 5 * MIB  # S3 takes no smaller one, but for the last

HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
BUCKET = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class _Section(BaseModel):
    """Strict about names, and frozen. A key without a value (null) holds its default."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if value is None:
            return {}
        return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value


class TraceConfig(_Section):
    """What is logged of requests."""

    enable: bool = Field(default=False, description="Log each request and answer at level debug, without secrets.")


class SseConfig(_Section):
    """Encryption of objects by the store."""

    type: Literal["", "SSE-S3", "SSE-KMS", "SSE-C"] = Field(
        default="", description="`SSE-S3`, `SSE-KMS` or `SSE-C`; the bucket's own default when empty."
    )
    kms_key_id: str = Field(default="", description="Key of SSE-KMS.")
    kms_encryption_context: dict[str, str] = Field(default={}, description="Encryption context of SSE-KMS.")
    encryption_key: str = Field(default="", description="Path of the file that holds the 32 bytes of SSE-C's key.")

    @model_validator(mode="after")
    def _key_is_given(self) -> SseConfig:
        if self.type == "SSE-KMS" and not self.kms_key_id:
            raise ValueError("type SSE-KMS needs kms_key_id")
        if self.type == "SSE-C" and not self.encryption_key:
            raise ValueError("type SSE-C needs encryption_key, the path of a file with a key of 32 bytes")
        return self


class S3Config(_Section):
    """Settings of an S3 bucket."""

    bucket: str = Field(description="Name of the bucket.")
    endpoint: str = Field(description="`host` or `host:port` of the store, without a scheme.")
    region: str = Field(
        default="", pattern="^[A-Za-z0-9_-]*$", description="Region of the bucket; the store is asked when empty."
    )
    disable_dualstack: bool = Field(default=False, description="Use Amazon's host names that have no IPv6 address.")
    aws_sdk_auth: bool = Field(
        default=False, description="Credentials from the SDK's chain; the same as leaving `access_key` out."
    )
    access_key: SecretStr = Field(default=SecretStr(""), description="Access key; needs `secret_key`.")
    secret_key: SecretStr = Field(default=SecretStr(""), description="Secret key of `access_key`.")
    session_token: SecretStr = Field(default=SecretStr(""), description="Session token of temporary keys.")
    insecure: bool = Field(default=False, description="Plain HTTP instead of TLS.")
    signature_version2: bool = Field(default=False, description="Sign as old stores want it; not for Amazon.")
    put_user_metadata: dict[str, str] = Field(
        default={}, description="Headers of uploads: `X-Amz-*` and standard ones as they are, others as metadata."
    )
    http_config: HttpClientConfig = Field(default_factory=HttpClientConfig, description="The HTTP client.")
    trace: TraceConfig = Field(default_factory=TraceConfig, description="What is logged of requests.")
    list_objects_version: Literal["", "v1", "v2"] = Field(
        default="", description="Version of the listing call; `v2` when empty."
    )
    bucket_lookup_type: Literal["auto", "virtual-hosted", "path"] = Field(
        default="auto", description="Where the bucket's name goes: `virtual-hosted`, `path`, or by the endpoint."
    )
    send_content_md5: bool = Field(default=True, description="Send the MD5 of what is uploaded.")
    disable_multipart: bool = Field(default=False, description="Upload every object in one request.")
    part_size: int = Field(
        default=DEFAULT_PART_SIZE, ge=0, description="Larger objects are uploaded in parts of so many bytes; 0: 64 MiB."
    )
    sse_config: SseConfig = Field(default_factory=SseConfig, description="Encryption of objects by the store.")
    sts_endpoint: str = Field(default="", description="Host or URL of STS, for roles; Amazon's when empty.")
    max_retries: int = Field(default=0, ge=0, description="Attempts of one request in all; 0: the default.")

    @field_validator("bucket")
    @classmethod
    def _is_a_bucket(cls, value: str) -> str:
        if not BUCKET.fullmatch(value):
            raise ValueError("must be the name of a bucket: letters, digits, '.', '-' and '_'")
        return value

    @field_validator("endpoint")
    @classmethod
    def _has_no_scheme(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("must be host or host:port without a scheme; `insecure: true` chooses plain HTTP")
        if not HOST.fullmatch(value):
            raise ValueError("must be host or host:port, such as s3.eu-west-1.amazonaws.com or minio:9000")
        return value.lower()

    @field_validator("put_user_metadata")
    @classmethod
    def _are_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not HEADER.fullmatch(name) or not text.isascii() or not text.isprintable():
                raise ValueError(f"{name!r} cannot be sent as a header: use ASCII, and no spaces in the name")
        return value

    @field_validator("part_size")
    @classmethod
    def _is_a_part(cls, value: int) -> int:
        if 0 < value < SMALLEST_PART:
            raise ValueError(f"must be at least {SMALLEST_PART} (5 MiB): S3 takes no smaller parts")
        return value or DEFAULT_PART_SIZE

    @model_validator(mode="after")
    def _keys_are_whole(self) -> S3Config:
        if bool(self.access_key) != bool(self.secret_key):
            given, missing = ("access_key", "secret_key") if self.access_key else ("secret_key", "access_key")
            raise ValueError(f"{given} is set and {missing} is not: set both, or none to use the SDK's chain")
        if self.aws_sdk_auth and self.access_key:
            raise ValueError("aws_sdk_auth and access_key exclude each other")
        if self.session_token and not self.access_key:
            raise ValueError("session_token is set and access_key is not")
        return self

    @model_validator(mode="after")
    def _encryption_is_possible(self) -> S3Config:
        if self.sse_config.type == "SSE-C" and self.insecure:
            raise ValueError(
                "sse_config: SSE-C sends its key with every request, so it needs TLS: insecure must be false"
            )
        if self.sse_config.type == "SSE-KMS" and self.signature_version2:
            raise ValueError("sse_config: SSE-KMS needs signature version 4: signature_version2 must be false")
        return self
