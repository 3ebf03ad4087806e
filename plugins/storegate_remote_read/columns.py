"""Frames and chunks as columns: thin dress of the kernels, nothing is done per series, chunk or sample in Python."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storegate.errors import CorruptError
from storegate.kernels import decode as decode_kernel
from storegate.kernels import encode as encode_kernel
from storegate.kernels import explain
from storegate.kernels import order as order_kernel
from storegate.kernels import remote as remote_kernel

Int64 = NDArray[np.int64]
MIN_TIME, MAX_TIME, FIELD, ENCODING, POSITION, LENGTH, ENCODED = range(7)
"""Columns of a chunk table (`storegate.kernels.remote`)."""
XOR = 1
SAMPLES_PER_CHUNK = 120
SMALL_CHUNK = 100
"""Bytes of a frame for each chunk or series; where these are smaller, the frame is read twice."""
_NOTHING: Int64 = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the engine. `first` cuts `chunks` by series."""

    data: bytes
    series: Int64
    chunks: Int64
    first: Int64


def scan(data: bytes) -> Frame:
    """The tables of a frame."""
    room = len(data) // SMALL_CHUNK + 64
    series, chunks = np.empty((room, 3), np.int64), np.empty((room, 7), np.int64)
    g, m = remote_kernel.scan_frame(data, series, chunks)
    if g < 0:
        raise CorruptError("the engine gave a frame that holds no series; please report this")
    if g > room or m > room:
        series, chunks = np.empty((g, 3), np.int64), np.empty((m, 7), np.int64)
        remote_kernel.scan_frame(data, series, chunks)
    series = series[:g]
    return Frame(data, series, chunks[:m], np.append(series[:, 2], m))


@dataclass(slots=True)
class Samples:
    """Decoded chunks (`storegate.kernels.decode`): row i of `starts` is where the columns of chunk i begin."""

    chunks: Int64
    starts: Int64
    times: Int64
    values: Int64
    rows: Int64
    layouts: Int64
    numbers: Int64
    widest: int

    def cuts(self, first: Int64) -> Int64:
        """Where the samples begin of the runs of chunks that `first` cuts."""
        return np.ascontiguousarray(self.starts[first, 0])


def decode(data: bytes, chunks: Int64) -> Samples:
    """All samples of these chunks. Raises CorruptError."""
    sizes = np.empty((len(chunks), 4), np.int64)
    _check(data, chunks, decode_kernel.measure_chunks(data, chunks, sizes, _NOTHING))
    starts = np.zeros((len(chunks) + 1, 3), np.int64)
    np.cumsum(sizes[:, :3], axis=0, out=starts[1:])
    samples, layouts, numbers = starts[-1].tolist()
    widest = int(sizes[:, 3].max(initial=0))
    decoded = Samples(
        chunks,
        starts,
        np.empty(samples, np.int64),
        np.empty(samples, np.int64),
        np.empty(samples, np.int64),
        np.empty(layouts, np.int64),
        np.empty(numbers, np.int64),
        widest,
    )
    columns = (decoded.times, decoded.values, decoded.rows, decoded.layouts, decoded.numbers)
    _check(data, chunks, decode_kernel.decode_chunks(data, chunks, starts, *columns, np.empty(widest, np.int64)))
    return decoded


def _check(data: bytes, chunks: Int64, result: tuple[int, int]) -> None:
    status, row = result
    if status:
        low, high = chunks[row, :2].tolist()
        raise CorruptError(f"a chunk of the times {low} to {high} cannot be decoded: {explain(status)}")


@dataclass(frozen=True, slots=True)
class Order:
    """Which samples stay, in order: `index` is cut by `kept` into runs."""

    index: Int64
    kept: Int64


def in_order(samples: Samples, cuts: Int64, low: int, high: int) -> Order:
    """The samples of each run by time, each time once, without those outside of the closed range."""
    n = len(samples.times)
    index, kept = np.empty(n, np.int64), np.empty(len(cuts), np.int64)
    order_kernel.order_samples(cuts, samples.times, low, high, index, np.empty(n, np.int64), kept)
    return Order(index, kept)


def encode(data: bytes, samples: Samples, order: Order) -> tuple[NDArray[np.uint8], Int64]:
    """New chunks of the samples: their data, and a chunk table whose column FIELD has the number of the run."""
    kept = int(order.kept[-1])
    layouts = samples.starts[:-1, 1][np.diff(samples.starts[:, 1]) > 0]
    header = int(samples.layouts[layouts + 8].max(initial=0)) // 8
    most = kept * (32 + header + 10 * (max(samples.widest, 1) + 1))  # as if each sample were a chunk of its own
    out = np.zeros(most, np.uint8)
    made = np.empty((kept, 7), np.int64)
    size, count = encode_kernel.encode_chunks(
        data, samples.chunks, samples.starts, order.kept, order.index, samples.times, samples.values, samples.rows,
        samples.layouts, samples.numbers, np.empty(samples.widest, np.int64), SAMPLES_PER_CHUNK, out, made,
    )  # fmt: skip
    if size < 0:
        raise AssertionError("chunks were measured wrongly")
    return out[:size], made[:count]
