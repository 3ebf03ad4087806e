"""Answers of streamed chunks: each series a checksummed message, written as soon as the engine has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from storegate.kernels import remote as remote_kernel
from storegate.query.call import Call
from storegate.query.request import SeriesRequest
from storegate_remote_read.columns import scan
from storegate_remote_read.requests import ReadRequest
from storegate_remote_read.untangle import untangle

if TYPE_CHECKING:
    from storegate.gateway import Gateway

CONTENT_TYPE = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"


def chunked_answer(gateway: Gateway, request: ReadRequest, call: Call, max_frame: int) -> Iterator[bytes]:
    """The body, piece by piece. Each `next` may block. Raises StoregateError."""
    for number, query in enumerate(request.queries):
        with closing(gateway.series(query, call)) as stream:
            for frames in stream:
                for frame in frames:
                    yield _messages(frame, query, number, max_frame)


def _messages(data: bytes, query: SeriesRequest, number: int, max_frame: int) -> bytes:
    frame, encoded = untangle(scan(data), query.aggregates)
    return remote_kernel.write_chunked(frame.data, encoded, frame.series, frame.first, frame.chunks, number, max_frame)
