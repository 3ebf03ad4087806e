"""Settings of an AZURE container (operations 12)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from storegate.config.http_client import HttpClientConfig
from storegate.config.units import Duration

SECRET_OF_CLIENT = ("az_tenant_id", "client_id", "client_secret")
DEFAULT_ENDPOINT = "blob.core.windows.net"
NO_SECRET = SecretStr("")


class _Section(BaseModel):
    """Strict about names, and frozen. A key without a value (null) holds its default."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if value is None:
            return {}
        return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value


class PipelineConfig(_Section):
    """How requests are tried."""

    max_tries: int = Field(default=0, ge=-1, description="Attempts of one request in all; 0: `max_retries`; -1: one.")
    try_timeout: Duration = Field(
        default=0.0, description="Longest wait for an answer, where shorter than that of `http_config`; 0: no other."
    )
    retry_delay: Duration = Field(default=0.0, description="Accepted, without effect: storegate backs off by itself.")
    max_retry_delay: Duration = Field(
        default=0.0, description="Accepted, without effect: storegate backs off by itself."
    )


class ReaderConfig(_Section):
    """How reads are tried."""

    max_retry_requests: int = Field(
        default=0, ge=0, description="Accepted, without effect: a read that broke off is tried again like any request."
    )


class AzureConfig(_Section):
    """Settings of an AZURE container."""

    storage_account: str = Field(min_length=1, description="Name of the storage account.")
    container: str = Field(min_length=1, description="Name of the container.")
    storage_account_key: SecretStr = Field(default=NO_SECRET, description="Access key of the account.")
    storage_connection_string: SecretStr = Field(
        default=NO_SECRET, description="Connection string with an account key or a shared access signature."
    )
    az_tenant_id: str = Field(default="", description="Tenant of `client_id`.")
    client_id: str = Field(default="", description="Application that `client_secret` belongs to.")
    client_secret: SecretStr = Field(default=NO_SECRET, description="Secret of `client_id`.")
    user_assigned_id: str = Field(default="", description="Client id of a user-assigned managed identity.")
    storage_create_container: bool = Field(
        default=True, description="Create the container when it does not exist, as far as permissions allow."
    )
    endpoint: str = Field(
        default=DEFAULT_ENDPOINT,
        description="Domain of the storage service, or the URL of the account: `https://host:port/account`.",
    )
    max_retries: int = Field(default=0, ge=0, description="Attempts of one request in all; 0: the default.")
    msi_resource: str = Field(default="", description="Ignored, as by Thanos.")
    reader_config: ReaderConfig = Field(default_factory=ReaderConfig, description="How reads are tried.")
    pipeline_config: PipelineConfig = Field(default_factory=PipelineConfig, description="How requests are tried.")
    http_config: HttpClientConfig = Field(default_factory=HttpClientConfig, description="The HTTP client.")

    @field_validator("endpoint")
    @classmethod
    def _default_when_empty(cls, value: str) -> str:
        return value or DEFAULT_ENDPOINT

    @model_validator(mode="after")
    def _one_way_in(self) -> AzureConfig:
        given = [key for key in SECRET_OF_CLIENT if getattr(self, key)]
        if given and len(given) < len(SECRET_OF_CLIENT):
            missing = [key for key in SECRET_OF_CLIENT if key not in given]
            raise ValueError(f"{', '.join(given)} set, but not {', '.join(missing)}: a client secret needs all three")
        ways = [key for key in ("storage_account_key", "storage_connection_string") if getattr(self, key)]
        ways += [*given[-1:], *(["user_assigned_id"] if self.user_assigned_id else [])]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} exclude each other: set one of them")
        return self

    @property
    def attempts(self) -> int:
        """Attempts of one request in all; 0 is the default."""
        return abs(self.pipeline_config.max_tries) or self.max_retries
