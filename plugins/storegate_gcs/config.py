"""Settings of a GCS bucket (operations 12); `endpoint` is an addition."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from storegate.config.http_client import HttpClientConfig

ACCOUNT_KEYS = ("client_email", "private_key", "token_uri")


class GcsConfig(BaseModel):
    """Settings of a GCS bucket."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    bucket: str = Field(min_length=1, description="Name of the bucket.")
    service_account: SecretStr = Field(
        default=SecretStr(""),
        description="Key of a service account, the JSON itself; application default credentials when empty.",
    )
    endpoint: str = Field(
        default="",
        pattern="^(https?://.+)?$",
        description="URL of the store, by default Google's; not in Thanos. With plain `http` and no `service_account`"
        " requests are anonymous.",
    )
    use_grpc: bool = Field(default=False, description="Accepted, without effect: requests go over HTTP.")
    grpc_conn_pool_size: int = Field(default=0, ge=0, description="Accepted, without effect.")
    chunk_size_bytes: int = Field(
        default=0, ge=0, description="Accepted, without effect: an object is uploaded in one request."
    )
    max_retries: int = Field(default=0, ge=0, description="Attempts of one request in all; 0: the default.")
    http_config: HttpClientConfig = Field(default_factory=HttpClientConfig, description="The HTTP client.")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        """A key without a value holds its default, as in YAML files of Thanos."""
        return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value

    @field_validator("service_account", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """JSON that stands unquoted in YAML is a mapping there."""
        return json.dumps(value) if isinstance(value, dict) else value

    @field_validator("service_account")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        if text := value.get_secret_value().strip():
            _check_account(text)
        return SecretStr(text)

    @property
    def service_account_info(self) -> dict[str, str] | None:
        """The key as a mapping; None when there is none."""
        text = self.service_account.get_secret_value()
        return json.loads(text) if text else None


def _check_account(text: str) -> None:
    """Raise ValueError, without a word of `text`, when it is not the key of a service account."""
    try:
        info = json.loads(text)
    except ValueError:
        raise ValueError("must be the JSON of a service account key, not the path of a file") from None
    kind = info.get("type") if isinstance(info, dict) else None
    if kind != "service_account":
        raise ValueError(
            'must be JSON with "type": "service_account"; other credentials are found when'
            " GOOGLE_APPLICATION_CREDENTIALS names their file and this key is empty"
        )
    missing = [key for key in ACCOUNT_KEYS if not info.get(key)]
    if missing:
        raise ValueError(f"the service account key lacks {', '.join(missing)}")
