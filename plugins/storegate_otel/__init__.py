"""Traces of queries over OTLP, as `--tracing.config` of type OTLP asks for them (operations 15)."""

from __future__ import annotations

from collections.abc import Iterator

import storegate
from storegate_otel.config import OtlpConfig


@storegate.hookimpl
def storegate_observers() -> Iterator[storegate.ObserverProvider]:
    yield storegate.ObserverProvider(
        name="OTLP",
        summary="OpenTelemetry traces of queries, a span for each stage and for the slowest blocks",
        config=OtlpConfig,
        factory="storegate_otel.observer:make_observer",
    )
