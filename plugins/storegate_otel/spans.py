"""Spans of a finished query, made from its bill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from storegate.query.costs import BlockCost, QueryCosts, StageCost

if TYPE_CHECKING:
    from storegate.query.stats import QueryStats

SERVICE = "thanos.Store"
MATCHERS_LENGTH = 1000
_propagator = TraceContextTextMapPropagator()
_Attributes = Mapping[str, str | int | float]


def trace_query(tracer: Tracer, stats: QueryStats, block_spans: int) -> None:
    """A server span under the caller's, one for each stage, one for each of the slowest blocks.

    A stage may be left and entered again while the client is waited for: its span begins when it began first, and is
    as long as it took in all. So is that of a block, whose reads may be side by side; no span outlasts the query's.
    Nothing is made for a trace that is not sampled.
    """
    costs = stats.costs
    parent = _propagator.extract({"traceparent": costs.traceparent}, Context())
    span = tracer.start_span(
        f"/{SERVICE}/{stats.method}",
        parent,
        kind=SpanKind.SERVER,
        start_time=_nanoseconds(costs.began),
        attributes=_of_query(stats, costs),
    )
    end = costs.began + costs.seconds
    if span.is_recording():
        inside = set_span_in_context(span, Context())
        for name, stage in costs.stages.items():
            _child(tracer, inside, name, stage, end, _of_stage(stage))
        slowest = sorted(costs.blocks.items(), key=lambda item: -item[1].seconds)[:block_spans]
        for ulid, block in slowest:
            _child(tracer, inside, "block", block, end, _of_block(ulid, block))
        if stats.error:
            span.set_status(Status(StatusCode.ERROR, stats.error))
    span.end(_nanoseconds(end))


def _child(
    tracer: Tracer, inside: Context, name: str, cost: StageCost | BlockCost, latest: float, attributes: _Attributes
) -> None:
    span = tracer.start_span(name, inside, start_time=_nanoseconds(cost.began), attributes=attributes)
    span.end(_nanoseconds(max(cost.began, min(cost.began + cost.seconds, latest))))


def _of_query(stats: QueryStats, costs: QueryCosts) -> _Attributes:
    matchers = "{" + ", ".join(costs.matchers) + "}"
    attributes: dict[str, Any] = {
        "rpc.system": "grpc",
        "rpc.service": SERVICE,
        "rpc.method": stats.method,
        "tenant": stats.tenant,
        "storegate.matchers": matchers[:MATCHERS_LENGTH],
        "storegate.mint": costs.min_time,
        "storegate.maxt": costs.max_time,
        "storegate.blocks": stats.blocks_queried or len(costs.blocks),
        "storegate.series": stats.merged_series_count,
        "storegate.chunks": stats.merged_chunks_count,
        "storegate.requests": costs.requests,
        "storegate.bytes": costs.bytes,
    }
    if costs.request_id:
        attributes["storegate.request_id"] = costs.request_id
    return attributes


def _of_stage(cost: StageCost) -> _Attributes:
    return {
        "storegate.requests": cost.requests,
        "storegate.bytes": cost.bytes,
        "storegate.cache.lookups": cost.lookups,
        "storegate.cache.hits": cost.hits,
        "storegate.seconds": cost.seconds,
    }


def _of_block(ulid: str, cost: BlockCost) -> _Attributes:
    return {
        "block.id": ulid,
        "storegate.requests": cost.requests,
        "storegate.bytes": cost.bytes,
        "storegate.seconds": cost.seconds,
    }


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
