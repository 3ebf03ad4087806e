"""The exporters of OpenTelemetry, from the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace.export import SpanExporter

from storegate_otel.config import OtlpConfig

DEFAULT_PATH = "/v1/traces"
GZIP = "gzip"


def exporter(config: OtlpConfig) -> SpanExporter:
    """The exporter; connects when the first spans are sent. Raises ConfigurationError for files of `tls_config`."""
    return _over_grpc(config) if config.client_type == "grpc" else _over_http(config)


def http_url(config: OtlpConfig) -> str | None:
    """The URL for `http`; None leaves it to the environment."""
    if not config.endpoint:
        return None
    base = config.endpoint if "://" in config.endpoint else f"http{'' if config.insecure else 's'}://{config.endpoint}"
    scheme, _, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    if config.url_path or not path:
        slash, path = "/", (config.url_path or DEFAULT_PATH).lstrip("/")
    return f"{scheme}://{host}{slash}{path}"


def _over_http(config: OtlpConfig) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    session = None
    if "tls_config" in config.model_fields_set:
        from storegate_otel.tls import tls_session

        session = tls_session(config.tls_config)
    return OTLPSpanExporter(
        endpoint=http_url(config),
        headers=_headers(config),
        timeout=config.timeout,
        compression=Compression.Gzip if config.compression == GZIP else None,
        session=session,
    )


def _over_grpc(config: OtlpConfig) -> SpanExporter:
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    tls = config.tls_config
    options: Any = (("grpc.ssl_target_name_override", tls.server_name),) if tls.server_name else None
    credentials = None
    if "tls_config" in config.model_fields_set and not config.insecure:
        tls.check_files("tracing.config.tls_config")
        credentials = grpc.ssl_channel_credentials(*map(_read, (tls.ca_file, tls.key_file, tls.cert_file)))
    return OTLPSpanExporter(
        endpoint=config.endpoint or None,
        insecure=config.insecure if config.endpoint else config.insecure or None,
        credentials=credentials,
        headers=_headers(config),
        timeout=config.timeout,
        compression=grpc.Compression.Gzip if config.compression == GZIP else None,
        channel_options=options,
    )


def _headers(config: OtlpConfig) -> dict[str, str] | None:
    """Names in lower case: gRPC takes no others. None leaves them to the environment."""
    return {name.lower(): value.get_secret_value() for name, value in config.headers.items()} or None


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None
