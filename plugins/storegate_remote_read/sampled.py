"""Answers of samples: one compressed message, which has to be complete before its first byte can be sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from storegate.errors import LimitError
from storegate.kernels.remote_samples import write_timeseries
from storegate.query.call import Call
from storegate.query.request import SeriesRequest
from storegate_remote_read.columns import ENCODED, FIELD, POSITION, Frame, decode, in_order, scan
from storegate_remote_read.snappy import SnappyBlock, uvarint
from storegate_remote_read.untangle import RAW, untangle

if TYPE_CHECKING:
    from storegate.gateway import Gateway
    from storegate_remote_read.requests import ReadRequest

CONTENT_TYPE = "application/x-protobuf"
CHUNKS_AT_ONCE = 2048
"""Chunks that are decoded together, if they are of more than one series."""
_FIELD_ONE = b"\x0a"
"""The tag of `results` in ReadResponse."""


def sampled_answer(gateway: Gateway, request: ReadRequest, call: Call, max_samples: int) -> list[bytes]:
    """The body, in pieces. Blocks until it is complete. Raises StoregateError."""
    block = SnappyBlock()
    counted = 0
    for query in request.queries:
        result = SnappyBlock()
        with closing(gateway.series(query, call)) as stream:
            for frames in stream:
                for frame in frames:
                    for part in _parts(frame, query):
                        call.check()
                        message, samples = _time_series(part, query)
                        result.add(message)
                        counted += samples
                        _check_samples(counted, max_samples)
        block.add(_FIELD_ONE + uvarint(result.size))
        block.join(result)
    return block.finish()


def _check_samples(count: int, most: int) -> None:
    if most and count > most:
        raise LimitError(
            f"the answer has more than {most} samples: ask for less, for streamed chunks, or raise max_samples of"
            " remote read",
            limit="samples",
            allowed=most,
            reached=count,
        )


def _parts(data: bytes, query: SeriesRequest) -> Iterator[Frame]:
    """The frame, in runs of series that are small enough to be decoded at once."""
    frame = scan(data)
    begin, series = 0, len(frame.series)
    while begin < series:
        most = int(frame.first[begin]) + CHUNKS_AT_ONCE
        end = max(begin + 1, int(np.searchsorted(frame.first, most, side="right")) - 1)
        low, high = frame.first[[begin, end]].tolist()
        yield Frame(data, frame.series[begin:end], frame.chunks[low:high], frame.first[begin : end + 1] - low)
        begin = end


def _time_series(frame: Frame, query: SeriesRequest) -> tuple[bytes, int]:
    """The encoded series, and how many samples they have."""
    data = frame.data
    if (frame.chunks[:, FIELD] != RAW).any():
        frame, encoded = untangle(frame, query.aggregates)
        frame.chunks[:, POSITION] += frame.chunks[:, ENCODED] * len(data)
        data += encoded.tobytes()
    samples = decode(data, frame.chunks)
    order = in_order(samples, samples.cuts(frame.first), query.min_time, query.max_time)
    message = write_timeseries(
        data, frame.series, order.kept, order.index, samples.times, samples.values, samples.rows, samples.chunks,
        samples.starts, samples.layouts, samples.numbers, np.empty(len(frame.series), np.int64),
    )  # fmt: skip
    return message, int(order.kept[-1])
