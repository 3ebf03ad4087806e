"""The series of all blocks in one order (StoreAPI 7.1): settled on labels alone, before any chunk is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from storegate.block.block import Block
from storegate.errors import CorruptError
from storegate.kernels import explain
from storegate.kernels.merge import merge_labels
from storegate.query.select import SelectedSeries

_FILE_BITS = 32
Number = TypeVar("Number", np.uint8, np.int64)


@dataclass(slots=True)
class MergedSeries:
    """Series of all blocks in one table, and their order.

    `order` lists rows; `first` marks the rows that begin a new label set, the others belong to the same series. Chunk
    rows are (mint, maxt, file << 32 | offset, end or 0); files have `keys`, and `files` holds for each the bytes to
    assume for a chunk of unknown end, and the size or 0.
    """

    labels: NDArray[np.uint8]
    label_start: NDArray[np.int64]
    chunk_start: NDArray[np.int64]
    chunks: NDArray[np.int64]
    order: NDArray[np.int64]
    first: NDArray[np.uint8]
    keys: list[str]
    files: NDArray[np.int64]
    blocks: int
    plain: bool  # rows are in order, and no two of them are of one series


def merge_series(parts: Sequence[SelectedSeries], chunk_size: int) -> MergedSeries:
    """Merge blocks' series, each in label order. `chunk_size` bounds the guess for chunks of unknown end."""
    keys: list[str] = []
    files: list[tuple[int, int]] = []
    tables = []
    for part in parts:
        block = part.block
        tables.append(_numbered(part.chunks, len(keys), block))
        known = block.meta.chunk_max_size
        # Raw chunks stay within about a kilobyte, and chunk_max_size is no maximum, only a hint.
        guess = min(chunk_size, max(known, 1024)) if 0 < known else chunk_size
        keys += block.segments
        files += [(guess, size or 0) for size in block.segment_sizes]
    labels, label_start = _joined([part.labels for part in parts], [part.label_start for part in parts])
    chunks, chunk_start = _joined(tables, [part.chunk_start for part in parts])
    order, first = _order(parts, labels, label_start)
    return MergedSeries(
        labels,
        label_start,
        chunk_start,
        chunks,
        order,
        first,
        keys,
        np.array(files, np.int64).reshape(-1, 2),
        len(parts),
        len(parts) == 1 and parts[0].distinct,
    )


def _order(
    parts: Sequence[SelectedSeries], labels: NDArray[np.uint8], label_start: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    n = len(label_start) - 1
    if len(parts) == 1 and parts[0].distinct:
        return np.arange(n), np.ones(n, np.uint8)
    bounds = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=bounds[1:])
    order = np.empty(n, np.int64)
    first = np.empty(n, np.uint8)
    merge_labels(labels, label_start, bounds, order, first)
    return order, first


def _numbered(chunks: NDArray[np.int64], first_file: int, block: Block) -> NDArray[np.int64]:
    """Chunk refs hold the segment's position in the block; make it a position among the files of all blocks."""
    if len(chunks) and int(chunks[:, 2].max()) >> _FILE_BITS >= len(block.segments):
        error = CorruptError(explain(19), object=block.index_key)  # else it would be a file of the next block
        error.block = block.meta.ulid
        error.stage = "chunks"
        raise error
    if first_file and len(chunks):
        chunks[:, 2] += first_file << _FILE_BITS
    return chunks


def _joined(
    tables: Sequence[NDArray[Number]], starts: Sequence[NDArray[np.int64]]
) -> tuple[NDArray[Number], NDArray[np.int64]]:
    if len(tables) == 1:
        return tables[0], starts[0]
    cuts = [np.zeros(1, np.int64)]
    base = 0
    for table, start in zip(tables, starts, strict=True):
        cuts.append(start[1:] + base)
        base += len(table)
    return np.concatenate(tables), np.concatenate(cuts)
