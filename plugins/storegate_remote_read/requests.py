"""From the body of a request to the engine's records. Everything wrong in it is an InvalidRequestError."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cramjam
from google.protobuf.message import DecodeError

from storegate.errors import InvalidRequestError
from storegate.query.request import Aggregate, LabelMatcher, MatchType, SeriesRequest
from storegate_proto.prompb import remote_pb2
from storegate_remote_read.aggregates import aggregates_for

ONLY_LABELS = "series"
"""The hint `func` of a client that looks at no sample."""
BATCH_OF_A_STEP = -1
"""The engine gives one frame for each of its steps: few large ones, and each of bounded size."""
METRIC_NAME = "__name__"
ANY_NAME = LabelMatcher(MatchType.RE, METRIC_NAME, ".*")
"""Costs nothing, and is there for the StoreAPI's sake: matchers of external labels alone select no series there."""


class ResponseType(IntEnum):
    """Wire values of `ReadRequest.ResponseType`."""

    SAMPLES = 0
    STREAMED_XOR_CHUNKS = 1


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What a client asked for: how it wants the answer, and its queries."""

    type: ResponseType
    queries: tuple[SeriesRequest, ...]


def read_request(body: bytes, *, max_size: int, max_resolution: int, replica_labels: tuple[str, ...]) -> ReadRequest:
    """The record of a snappy-compressed `ReadRequest`. `max_size` (bytes) bounds what it unpacks to."""
    message = _parse(_unpack(body, max_size))
    return ReadRequest(
        _response_type(message), tuple(_query(query, max_resolution, replica_labels) for query in message.queries)
    )


def _unpack(body: bytes, max_size: int) -> bytes:
    try:
        size = cramjam.snappy.decompress_raw_len(body)
        if size > max_size:
            raise InvalidRequestError(f"the request unpacks to {size} bytes, max_request_size allows {max_size}")
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise InvalidRequestError(f"the request is not compressed with snappy: {error}") from None


def _parse(data: bytes) -> remote_pb2.ReadRequest:
    try:
        message: remote_pb2.ReadRequest = remote_pb2.ReadRequest.FromString(data)
        return message
    except DecodeError as error:
        raise InvalidRequestError(f"the request is no prometheus.ReadRequest: {error}") from None


def _response_type(message: remote_pb2.ReadRequest) -> ResponseType:
    """The first of the accepted types that is known; SAMPLES for clients that name none."""
    accepted = list(message.accepted_response_types)
    known = [value for value in accepted if value in ResponseType.__members__.values()]
    if accepted and not known:
        raise InvalidRequestError(f"none of the accepted response types {accepted} is known; known are 0 and 1")
    return ResponseType(known[0]) if known else ResponseType.SAMPLES


def _query(query: remote_pb2.Query, max_resolution: int, replica_labels: tuple[str, ...]) -> SeriesRequest:
    aggregates = aggregates_for(query.hints.func) if max_resolution else (Aggregate.RAW,)
    matchers = tuple(LabelMatcher(m.type, m.name, m.value) for m in query.matchers)
    if matchers and all(matcher.name != METRIC_NAME for matcher in matchers):
        matchers += (ANY_NAME,)
    return SeriesRequest(
        min_time=query.start_timestamp_ms,
        max_time=query.end_timestamp_ms,
        matchers=matchers,
        max_resolution=max_resolution,
        aggregates=aggregates,
        skip_chunks=query.hints.func == ONLY_LABELS,
        without_replica_labels=replica_labels,
        batch_size=BATCH_OF_A_STEP,
    )
