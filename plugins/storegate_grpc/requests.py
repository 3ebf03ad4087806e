"""Requests: from protobuf bytes to the engine's records. Everything wrong in them is an InvalidRequestError."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message

from storegate.errors import InvalidRequestError
from storegate.query.request import LabelMatcher, LabelNamesRequest, LabelValuesRequest, SeriesRequest, Shard
from storegate_proto.store.hintspb import hints_pb2
from storegate_proto.store.storepb import rpc_pb2, types_pb2

MAX_BATCH = 10_000
"""Largest `response_batch_size` that is honoured: one frame must stay far below 2 GiB."""

M = TypeVar("M", bound=Message)


def series_request(data: bytes) -> tuple[SeriesRequest, bool]:
    """The record, and whether the client wants query statistics."""
    message = parse(rpc_pb2.SeriesRequest, data)
    hints = unpack(message.hints, hints_pb2.SeriesRequestHints) if message.HasField("hints") else None
    record = SeriesRequest(
        min_time=message.min_time,
        max_time=message.max_time,
        matchers=_matchers(message.matchers),
        max_resolution=max(0, message.max_resolution_window),
        aggregates=tuple(message.aggregates),
        skip_chunks=message.skip_chunks,
        shard=_shard(message.shard_info) if message.HasField("shard_info") else None,
        without_replica_labels=tuple(message.without_replica_labels),
        limit=max(0, message.limit),
        batch_size=min(max(0, message.response_batch_size), MAX_BATCH),
        block_matchers=_matchers(hints.block_matchers) if hints else (),
    )
    return record, bool(hints and hints.enable_query_stats)


def label_names_request(data: bytes) -> LabelNamesRequest:
    message = parse(rpc_pb2.LabelNamesRequest, data)
    hints = unpack(message.hints, hints_pb2.LabelNamesRequestHints) if message.HasField("hints") else None
    return LabelNamesRequest(
        start=message.start,
        end=message.end,
        matchers=_matchers(message.matchers),
        without_replica_labels=tuple(message.without_replica_labels),
        limit=max(0, message.limit),
        block_matchers=_matchers(hints.block_matchers) if hints else (),
    )


def label_values_request(data: bytes) -> LabelValuesRequest:
    message = parse(rpc_pb2.LabelValuesRequest, data)
    hints = unpack(message.hints, hints_pb2.LabelValuesRequestHints) if message.HasField("hints") else None
    return LabelValuesRequest(
        label=message.label,
        start=message.start,
        end=message.end,
        matchers=_matchers(message.matchers),
        without_replica_labels=tuple(message.without_replica_labels),
        limit=max(0, message.limit),
        block_matchers=_matchers(hints.block_matchers) if hints else (),
    )


def parse(kind: type[M], data: bytes) -> M:
    """Decode a message; bytes that are none, or text in it that is not UTF-8, are the client's fault."""
    try:
        message: M = kind.FromString(data)
        return message
    except DecodeError as error:
        raise InvalidRequestError(f"the request is no {kind.DESCRIPTOR.full_name}: {error}") from error


def unpack(packed: Any, kind: type[M]) -> M:
    """Decode a hint. The part of the type URL after the last slash must be the message's name; a slash is a must."""
    expected = kind.DESCRIPTOR.full_name
    _, slash, name = packed.type_url.rpartition("/")
    if not slash or name != expected:
        raise InvalidRequestError(f"hints: type URL {packed.type_url!r} does not name {expected}")
    try:
        message: M = kind.FromString(packed.value)
        return message
    except DecodeError as error:
        raise InvalidRequestError(f"hints: the value is no {expected}: {error}") from error


def _matchers(matchers: Iterable[types_pb2.LabelMatcher]) -> tuple[LabelMatcher, ...]:
    return tuple(LabelMatcher(m.type, m.name, m.value) for m in matchers)


def _shard(info: rpc_pb2.ShardInfo) -> Shard:
    return Shard(index=info.shard_index, total=info.total_shards, by=info.by, labels=tuple(info.labels))
