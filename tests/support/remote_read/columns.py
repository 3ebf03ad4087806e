"""Chunks as the columns of the decoding kernels, and columns as the samples of the kit."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from storegate.testing import Histogram, RawChunk
from storegate.testing.chunks import STALE, Sample, float_bits
from storegate.testing.chunks.bits import bits_float

ALWAYS = (-(2**63), 2**63 - 1)


def chunk_table(chunks: Sequence[RawChunk], field: int = 3) -> tuple[bytes, Any]:
    """The data of chunks behind one another, and the rows that say where each lies."""
    rows, data = [], b""
    for chunk in chunks:
        rows.append((chunk.min_time, chunk.max_time, field, chunk.encoding, len(data), len(chunk.data), 0))
        data += chunk.data
    return data, np.array(rows, np.int64).reshape(-1, 7)


def decode(kernels: Any, data: bytes, table: Any) -> tuple[int, Any]:
    """The status, and all columns when it is 0."""
    sizes = np.empty((len(table), 4), np.int64)
    status, _ = kernels.decode.measure_chunks(data, table, sizes, np.empty(0, np.int64))
    if status:
        return status, None
    starts = np.zeros((len(table) + 1, 3), np.int64)
    starts[1:] = np.cumsum(sizes[:, :3], axis=0)
    samples, layouts, numbers = starts[-1].tolist()
    columns = SimpleNamespace(
        data=data,
        table=table,
        starts=starts,
        times=np.empty(samples, np.int64),
        values=np.empty(samples, np.int64),
        rows=np.empty(samples, np.int64),
        layouts=np.empty(layouts, np.int64),
        numbers=np.empty(numbers, np.int64),
        scratch=np.empty(int(sizes[:, 3].max(initial=0)), np.int64),
    )
    status, _ = kernels.decode.decode_chunks(
        data, table, starts, columns.times, columns.values, columns.rows, columns.layouts, columns.numbers,
        columns.scratch,
    )  # fmt: skip
    return status, columns


def samples_of(columns: Any, index: Sequence[int] | None = None) -> list[Sample]:
    """The samples as the kit has them."""
    picked = range(len(columns.times)) if index is None else index
    return [(int(columns.times[i]), _value(columns, int(i))) for i in picked]


def _value(columns: Any, i: int) -> float | Histogram:
    row = int(columns.rows[i])
    encoding, value = int(columns.table[row, 3]), int(columns.values[i])
    if encoding == 1:
        return _float(value)
    numbers = columns.numbers[value:].tolist()
    layout = columns.layouts[columns.starts[row, 1] :].tolist()
    is_float, is_gauge = encoding == 3, bool(layout[7])
    if numbers[2] == float_bits(STALE):
        return Histogram(sum=STALE, is_float=is_float, is_gauge=is_gauge)
    spans = [(layout[at], layout[at + 1]) for at in range(9, 9 + 2 * (layout[2] + layout[3]), 2)]
    bounds = layout[9 + 2 * len(spans) :][: layout[4]]
    buckets = numbers[3 : 3 + layout[5] + layout[6]]
    counts = [number % 2**64 for number in numbers[:2]]
    if is_float:
        buckets, counts = [*map(_float, buckets)], [*map(_float, numbers[:2])]
    return Histogram(
        count=counts[0],
        zero_count=counts[1],
        sum=_float(numbers[2]),
        schema=layout[0],
        zero_threshold=_float(layout[1]),
        positive_spans=tuple(spans[: layout[2]]),
        negative_spans=tuple(spans[layout[2] :]),
        positive=tuple(buckets[: layout[5]]),
        negative=tuple(buckets[layout[5] :]),
        custom_bounds=tuple(map(_float, bounds)),
        is_float=is_float,
        is_gauge=is_gauge,
    )


def _float(bits: int) -> float:
    return bits_float(bits % 2**64)


def order(kernels: Any, columns: Any, cuts: Sequence[int], low: int = ALWAYS[0], high: int = ALWAYS[1]) -> Any:
    """(indexes of samples, cuts): in order, each time once."""
    n = len(columns.times)
    index, kept = np.empty(n, np.int64), np.empty(len(cuts), np.int64)
    starts = np.array(cuts, np.int64)
    total = kernels.order.order_samples(starts, columns.times, low, high, index, np.empty(n, np.int64), kept)
    assert kept[-1] == total
    return index[:total], kept


def encode(kernels: Any, columns: Any, index: Any, kept: Any, per_chunk: int = 120) -> list[RawChunk]:
    """New chunks of these samples."""
    made = np.empty((len(index), 7), np.int64)
    out = np.zeros(10_000 + 40 * len(index) * (8 + len(columns.scratch)) + 64 * len(columns.data), np.uint8)
    size, count = kernels.encode.encode_chunks(
        columns.data, columns.table, columns.starts, kept, index, columns.times, columns.values, columns.rows,
        columns.layouts, columns.numbers, columns.scratch, per_chunk, out, made,
    )  # fmt: skip
    assert size >= 0
    data = out.tobytes()
    return [RawChunk(row[0], row[1], row[3], data[row[4] : row[4] + row[5]]) for row in made[:count].tolist()]
