"""The configuration of traces."""

from __future__ import annotations

from typing import Any

import pytest

from storegate.config.settings import TracingRef
from storegate.config.validation import check
from storegate.errors import ConfigurationError
from storegate_otel.config import OtlpConfig
from storegate_otel.exporters import http_url
from storegate_otel.observer import make_observer, resource


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({"endpoint": "otel:4318", "insecure": True}, "http://otel:4318/v1/traces"),
        ({"endpoint": "otel:4318"}, "https://otel:4318/v1/traces"),
        ({"endpoint": "otel:4318", "url_path": "/traces"}, "https://otel:4318/traces"),
        ({"endpoint": "http://otel:4318/a/b"}, "http://otel:4318/a/b"),
        ({"endpoint": "http://otel:4318/"}, "http://otel:4318/v1/traces"),
        ({}, None),
    ],
)
def test_the_url_is_made_of_endpoint_path_and_insecure(config: dict[str, Any], url: str | None) -> None:
    assert http_url(OtlpConfig(client_type="http", **config)) == url


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "client_type: required"),
        ({"client_type": "udp"}, "client_type: input should be 'grpc' or 'http'"),
        ({"client_type": "grpc", "sampler_param": "2"}, "sampler_param must be a number from 0 to 1"),
        ({"client_type": "grpc", "sampler_param": "half"}, "sampler_param must be a number from 0 to 1"),
        ({"client_type": "grpc", "sampler_type": "some"}, "sampler_type: input should be"),
        ({"client_type": "grpc", "tls_config": {"insecure_skip_verify": True}}, "cannot be had with client_type grpc"),
        ({"client_type": "grpc", "url_path": "/x"}, "url_path is for client_type http"),
        ({"client_type": "grpc", "endpiont": "x"}, "endpiont: unknown key, did you mean 'endpoint'?"),
    ],
)
def test_mistakes_are_named(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check(OtlpConfig, config, path="tracing.config")
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["JAEGER", "google_cloud", "STACKDRIVER", "ELASTIC_APM", "LIGHTSTEP"])
def test_other_types_are_refused_with_a_way_out(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"tracing of type {name.upper()} is not supported: take OTLP"):
        check(TracingRef, {"type": name})


def test_a_missing_tls_file_is_named() -> None:
    config = OtlpConfig.model_validate({"client_type": "http", "tls_config": {"ca_file": "/no/such/ca.pem"}})
    with pytest.raises(ConfigurationError, match=r"ca_file.*/no/such/ca\.pem"):
        make_observer(config, None)  # type: ignore[arg-type]


def test_headers_are_not_shown() -> None:
    config = OtlpConfig.model_validate({"client_type": "http", "headers": {"authorization": "Bearer s3cret"}})
    assert "s3cret" not in repr(config) + str(config.model_dump(mode="json"))


def test_settings_without_effect_are_told() -> None:
    config = OtlpConfig.model_validate({"client_type": "http", "reconnection_period": "5s", "retry_config": {}})
    assert config.without_effect == ["reconnection_period", "retry_config"]


@pytest.mark.parametrize(("service", "name"), [("", "storegate"), ("gateway-eu", "gateway-eu")])
def test_the_service_has_a_name(service: str, name: str) -> None:
    made = resource(OtlpConfig(client_type="http", service_name=service, resource_attributes={"zone": "a"}))
    assert (made.attributes["service.name"], made.attributes["zone"]) == (name, "a")


def test_the_environment_names_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-outside")
    assert resource(OtlpConfig(client_type="http")).attributes["service.name"] == "from-outside"
