"""The observer: spans are made when a query ends, and sent by a thread that no query waits for."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from opentelemetry.sdk.environment_variables import OTEL_SERVICE_NAME
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from storegate import BlockMeta, PluginContext
from storegate_otel.config import OtlpConfig
from storegate_otel.exporters import exporter
from storegate_otel.sampling import sampler
from storegate_otel.spans import trace_query

if TYPE_CHECKING:
    from storegate.query.stats import QueryStats

CLOSE_SECONDS = 5.0
"""How long a stop waits for the last spans to be sent (operations 2)."""


def make_observer(config: OtlpConfig, context: PluginContext) -> OtlpTraces:
    """Factory of the provider `OTLP`. Raises ConfigurationError for files of `tls_config` that cannot be used."""
    for key in config.without_effect:
        context.log.warning("a setting of traces has no effect", setting=f"tracing.config.{key}")
    return OtlpTraces(config)


class OtlpTraces:
    """Traces of finished queries. Thread-safe. No query waits for the collector; what it refuses is lost."""

    def __init__(self, config: OtlpConfig) -> None:
        self._block_spans = config.block_spans
        self._provider = TracerProvider(sampler=sampler(config), resource=resource(config), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter(config)))
        self._tracer = self._provider.get_tracer("storegate")

    def block_loaded(self, meta: BlockMeta) -> None:
        """Nothing to trace."""

    def block_dropped(self, meta: BlockMeta, reason: str) -> None:
        """Nothing to trace."""

    def query_finished(self, stats: QueryStats) -> None:
        """Make the spans of the query, if its trace is sampled."""
        trace_query(self._tracer, stats, self._block_spans)

    def close(self) -> None:
        """Send what is left. Waits for at most `CLOSE_SECONDS`: a collector that hangs holds up no stop."""
        sending = threading.Thread(target=self._provider.shutdown, name="traces-close", daemon=True)
        sending.start()
        sending.join(CLOSE_SECONDS)


def resource(config: OtlpConfig) -> Resource:
    """Who the spans are from. What the configuration says wins over the environment."""
    attributes: dict[str, str] = dict(config.resource_attributes)
    if config.service_name:
        attributes[SERVICE_NAME] = config.service_name
    elif OTEL_SERVICE_NAME not in os.environ:
        attributes.setdefault(SERVICE_NAME, "storegate")
    return Resource.create(attributes)
