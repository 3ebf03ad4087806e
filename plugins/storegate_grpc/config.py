"""What an operator can set for the gRPC front end. Imports nothing heavy: it is read to list plugins."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from storegate.config.http_client import OptionalPath
from storegate.config.units import Duration
from storegate.tls import openssl_ciphers


class GrpcConfig(BaseModel):
    """Durations are seconds or text such as `2m`."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    address: str = Field("0.0.0.0:10901", description="where to listen: host:port")
    grace_period: Duration = Field(120.0, description="how long running calls may take to end at shutdown")
    max_connection_age: Duration = Field(3600.0, description="connections are closed at this age; 0 keeps them")
    tls_cert: OptionalPath = Field(None, description="server certificate chain (PEM); needs tls_key")
    tls_key: OptionalPath = Field(None, description="the certificate's private key (PEM, without a passphrase)")
    tls_client_ca: OptionalPath = Field(None, description="clients must show a certificate of this CA (PEM)")
    tls_min_version: Literal["1.0", "1.1", "1.2", "1.3"] = Field(
        "1.3", description="least version of TLS; below 1.2 is never used"
    )
    tls_ciphers: tuple[str, ...] = Field(
        (), description="suites for TLS 1.2, by the names of Go and IANA; those of TLS 1.3 are always on"
    )
    series_hints: bool = Field(
        False, description="end Series answers with the queried blocks and, if asked, statistics"
    )
    response_compression: Literal["none", "gzip"] = Field("none", description="for clients that accept it")

    @field_validator("tls_ciphers")
    @classmethod
    def _ciphers_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        openssl_ciphers(names)
        return names

    @model_validator(mode="after")
    def _tls_is_complete(self) -> GrpcConfig:
        if (self.tls_cert is None) != (self.tls_key is None):
            given, missing = ("tls_cert", "tls_key") if self.tls_cert else ("tls_key", "tls_cert")
            raise ValueError(f"{given} is set and {missing} is not: TLS needs both")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("tls_client_ca needs tls_cert and tls_key: clients can only be verified over TLS")
        return self
