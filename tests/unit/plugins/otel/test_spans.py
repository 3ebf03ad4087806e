"""Spans made from the bill of a query."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from storegate.query.costs import BlockCost, QueryCosts, StageCost
from storegate.query.stats import QueryStats
from storegate_otel.config import OtlpConfig
from storegate_otel.sampling import sampler
from storegate_otel.spans import trace_query

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


def spans(stats: QueryStats, block_spans: int = 5, **config: Any) -> dict[str, ReadableSpan]:
    """By name, and by ULID where they are of a block."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler(OtlpConfig(client_type="http", **config)), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace_query(provider.get_tracer("test"), stats, block_spans)
    return {str((span.attributes or {}).get("block.id", span.name)): span for span in kept.get_finished_spans()}


def stats(traceparent: str = SAMPLED, **more: Any) -> QueryStats:
    costs = QueryCosts(
        matchers=('__name__="up"',),
        traceparent=traceparent,
        began=1000.0,
        seconds=2.0,
        stages={
            "plan": StageCost(1000.0, 0.5),
            "postings": StageCost(1000.5, 1.0, requests=3, bytes=4096, lookups=5, hits=2),
            "client": StageCost(1000.7, 9.0),
        },
        blocks={"A": BlockCost(1, 100, 0.25, began=1000.5), "B": BlockCost(2, 3996, 0.75, began=1000.6)},
    )
    return QueryStats(method="Series", tenant="t", blocks_queried=2, costs=costs, **more)


def times(span: ReadableSpan) -> tuple[float, float]:
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time / 1e9, span.end_time / 1e9


def test_the_query_is_a_server_span_under_that_of_its_caller() -> None:
    span = spans(stats())["/thanos.Store/Series"]
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert span.kind is SpanKind.SERVER
    assert times(span) == (1000.0, 1002.0)


def test_each_stage_is_a_span_with_requests_bytes_and_cache_hits() -> None:
    found = spans(stats())
    postings, query = found["postings"], found["/thanos.Store/Series"]
    assert postings.parent == query.context
    assert times(postings) == (1000.5, 1001.5)
    names = ("storegate.requests", "storegate.bytes", "storegate.cache.lookups", "storegate.cache.hits")
    assert [(postings.attributes or {})[name] for name in names] == [3, 4096, 5, 2]


def test_no_span_outlasts_the_query() -> None:
    assert times(spans(stats())["client"]) == (1000.7, 1002.0)


def test_the_slowest_blocks_get_spans() -> None:
    found = spans(stats(), block_spans=1)
    assert times(found["B"]) == (1000.6, 1001.35)
    assert "A" not in found


def test_a_failed_query_has_its_error() -> None:
    span = spans(stats(error="limit exceeded"))["/thanos.Store/Series"]
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "limit exceeded")


@pytest.mark.parametrize(
    ("traceparent", "config", "made"),
    [
        (SAMPLED, {}, True),
        (UNSAMPLED, {}, False),
        ("", {}, True),
        ("not a traceparent", {}, True),
        ("", {"sampler_param": "0"}, False),
        (SAMPLED, {"sampler_type": "NeverSample"}, False),
        (UNSAMPLED, {"sampler_type": "alwayssample"}, True),
        (SAMPLED, {"sampler_type": "parentbasedneversample"}, True),
        ("", {"sampler_type": "parentbasedneversample"}, False),
        (SAMPLED, {"sampler_type": "traceidratiobased", "sampler_param": "0"}, False),
    ],
)
def test_the_sampler_decides(traceparent: str, config: dict[str, str], made: bool) -> None:
    assert bool(spans(stats(traceparent), **config)) is made


def test_the_environment_chooses_the_sampler_where_the_configuration_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    assert spans(stats()) == {}
