"""What an operator can set for traces over OTLP: the keys of the reference (operations 15)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from storegate.config.http_client import TlsClientConfig
from storegate.config.units import Duration

SAMPLERS = (
    "alwayssample",
    "neversample",
    "traceidratiobased",
    "parentbasedalwayssample",
    "parentbasedneversample",
    "parentbasedtraceidratiobased",
)
_lower = BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return {} if value is None else value


class RetryConfig(_Section):
    """Accepted for drop-in configurations: the exporters of OpenTelemetry for Python have a way of their own."""

    retry_enabled: bool = Field(default=False, description="No effect.")
    retry_initial_interval: Duration = Field(default=0.0, description="No effect.")
    retry_max_interval: Duration = Field(default=0.0, description="No effect.")
    retry_max_elapsed_time: Duration = Field(default=0.0, description="No effect.")


class OtlpConfig(_Section):
    """Where traces go, and which. Variables `OTEL_*` of the environment fill what is left out."""

    client_type: Annotated[Literal["grpc", "http"], _lower] = Field(description="Protocol to the collector.")
    endpoint: str = Field(default="", description="`host:port` of the collector, or a URL.")
    url_path: str = Field(default="", description="Path for `http`; empty is `/v1/traces`.")
    insecure: bool = Field(default=False, description="Without TLS.")
    tls_config: TlsClientConfig = Field(default_factory=TlsClientConfig, description="TLS to the collector.")
    headers: dict[str, SecretStr] = Field(default={}, description="Sent with each export; never shown.")
    compression: Annotated[Literal["", "none", "gzip"], _lower] = Field(default="", description="Of what is sent.")
    timeout: Duration = Field(default=10.0, gt=0, description="Most time for one export, retries included.")
    retry_config: RetryConfig = Field(default_factory=RetryConfig, description="Accepted, without effect.")
    reconnection_period: Duration = Field(default=0.0, description="Accepted, without effect.")
    service_name: str = Field(default="", description="`service.name`; empty: `OTEL_SERVICE_NAME`, else `storegate`.")
    resource_attributes: dict[str, str] = Field(default={}, description="Further attributes of the resource.")
    sampler_type: Annotated[Literal["", *SAMPLERS], _lower] = Field(  # type: ignore[valid-type]
        default="", description="Which traces are kept; empty: `OTEL_TRACES_SAMPLER`, else the parent decides."
    )
    sampler_param: str = Field(default="", description="Share for the samplers by ratio, 0 to 1; empty is 1.")
    block_spans: int = Field(default=5, ge=0, description="So many blocks, the slowest, get a span of their own.")

    @model_validator(mode="after")
    def _can_be_done(self) -> OtlpConfig:
        if self.client_type == "grpc" and self.tls_config.insecure_skip_verify:
            raise ValueError(
                "tls_config.insecure_skip_verify cannot be had with client_type grpc: give tls_config.ca_file, or "
                "take client_type http"
            )
        if self.client_type == "grpc" and self.url_path:
            raise ValueError("url_path is for client_type http")
        try:
            valid = 0 <= self.ratio <= 1
        except ValueError:
            valid = False
        if not valid:
            raise ValueError("sampler_param must be a number from 0 to 1, as text")
        return self

    @property
    def ratio(self) -> float:
        """The share of traces that samplers by ratio keep."""
        return float(self.sampler_param) if self.sampler_param else 1.0

    @property
    def without_effect(self) -> list[str]:
        """Keys that were given, and that nothing here goes by."""
        return sorted({"retry_config", "reconnection_period"} & self.model_fields_set)
