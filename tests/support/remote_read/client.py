"""A client of remote read that decodes answers the obvious way: protobuf objects, and one sample at a time."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cramjam

from storegate.query.request import LabelMatcher
from storegate.testing import Histogram, RawChunk
from storegate.testing.chunks import STALE, Sample, decode_chunk, float_bits
from storegate.testing.crc32c import crc32c
from storegate.testing.varint import read_uvarint
from storegate_proto.prompb import remote_pb2, types_pb2

SAMPLES, CHUNKS = 0, 1
PATH = "/api/v1/read"
GAUGE_HINT = 3

Labels = tuple[tuple[str, str], ...]


@dataclass
class Answer:
    """What came back; `truncated` when the connection ended before the body did."""

    status: int
    headers: dict[str, str]
    body: bytes
    truncated: bool = False


@dataclass
class ChunkedSeries:
    """One series of an answer of chunks, its frames put together again; `frames` says how many there were."""

    query: int
    labels: Labels
    chunks: list[RawChunk] = field(default_factory=list)
    frames: int = 0

    def samples(self) -> list[Sample]:
        """What Prometheus reads: chunk after chunk."""
        return [sample for chunk in self.chunks for sample in decode_chunk(chunk.encoding, chunk.data)]


def query(
    start: int, end: int, *matchers: LabelMatcher | tuple[int, str, str], func: str = "", **hints: Any
) -> remote_pb2.Query:
    """One query in a closed range (ms)."""
    message = remote_pb2.Query(start_timestamp_ms=start, end_timestamp_ms=end)
    for matcher in matchers:
        kind, name, value = (
            (matcher.type, matcher.name, matcher.value) if isinstance(matcher, LabelMatcher) else matcher
        )
        message.matchers.add(type=kind, name=name, value=value)
    if func or hints:
        message.hints.CopyFrom(types_pb2.ReadHints(func=func, **hints))
    return message


def encode_request(queries: Iterable[remote_pb2.Query], accepted: Sequence[int] = ()) -> bytes:
    """The body of a request."""
    message = remote_pb2.ReadRequest(queries=queries, accepted_response_types=accepted)
    return bytes(cramjam.snappy.compress_raw(message.SerializeToString()))


def post(address: str, body: bytes, path: str = PATH, headers: dict[str, str] | None = None) -> Answer:
    """One request."""
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.request("POST", path, body, headers or {})
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        try:
            return Answer(answer.status, found, answer.read())
        except http.client.IncompleteRead as error:
            return Answer(answer.status, found, error.partial, truncated=True)
    finally:
        connection.close()


def read_chunked(body: bytes) -> list[ChunkedSeries]:
    """The series of an answer of chunks: each frame checked, and holding one series only."""
    found: list[ChunkedSeries] = []
    for frame in frames(body):
        message = remote_pb2.ChunkedReadResponse.FromString(frame)
        (series,) = message.chunked_series
        labels = _labels(series.labels)
        if not found or (found[-1].query, found[-1].labels) != (message.query_index, labels):
            found.append(ChunkedSeries(message.query_index, labels))
        found[-1].frames += 1
        found[-1].chunks += [RawChunk(c.min_time_ms, c.max_time_ms, c.type, c.data) for c in series.chunks]
    return found


def frames(body: bytes) -> list[bytes]:
    """The messages of an answer of chunks, without length and checksum."""
    found, at = [], 0
    while at < len(body):
        length, at = read_uvarint(body, at)
        checksum = int.from_bytes(body[at : at + 4], "big")
        data = body[at + 4 : at + 4 + length]
        assert len(data) == length
        assert crc32c(data) == checksum
        found.append(data)
        at += 4 + length
    return found


def read_samples(body: bytes) -> list[list[tuple[Labels, list[Sample]]]]:
    """By query: the series of an answer of samples, each with floats and histograms in one order."""
    message = remote_pb2.ReadResponse.FromString(bytes(cramjam.snappy.decompress_raw(body)))
    return [[(_labels(s.labels), _samples(s)) for s in result.timeseries] for result in message.results]


def _samples(series: types_pb2.TimeSeries) -> list[Sample]:
    samples: list[Sample] = [(sample.timestamp, sample.value) for sample in series.samples]
    samples += [(histogram.timestamp, histogram_of(histogram)) for histogram in series.histograms]
    return sorted(samples, key=lambda sample: sample[0])


def histogram_of(message: types_pb2.Histogram) -> Histogram:
    """The kit's record of a histogram."""
    is_float = message.WhichOneof("count") == "count_float"
    if float_bits(message.sum) == float_bits(STALE):
        return Histogram(sum=message.sum, is_float=is_float)
    return Histogram(
        count=message.count_float if is_float else message.count_int,
        zero_count=message.zero_count_float if is_float else message.zero_count_int,
        sum=message.sum,
        schema=message.schema,
        zero_threshold=message.zero_threshold,
        positive_spans=tuple((span.offset, span.length) for span in message.positive_spans),
        negative_spans=tuple((span.offset, span.length) for span in message.negative_spans),
        positive=tuple(message.positive_counts if is_float else message.positive_deltas),
        negative=tuple(message.negative_counts if is_float else message.negative_deltas),
        custom_bounds=tuple(message.custom_values),
        is_float=is_float,
        is_gauge=message.reset_hint == GAUGE_HINT,
    )


def _labels(labels: Iterable[types_pb2.Label]) -> Labels:
    return tuple((label.name, label.value) for label in labels)
