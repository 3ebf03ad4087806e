"""What the stages of one request share when they read indexes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from storegate.cache.index_cache import IndexCache
from storegate.kernels.plan import join_ranges
from storegate.metrics import Metrics
from storegate.query.stats import QueryStats
from storegate.reads import Read, new_arena
from storegate.types import Partitioner

SMALL_INDEX = 512 << 10
"""Up to this many bytes of series and postings are read in one request: it costs less than a second one."""


@dataclass(slots=True)
class Access:
    """One request's way to the cache, the bucket and the accounts. `charge(bytes, what)` may raise LimitError."""

    cache: IndexCache
    partitioner: Partitioner
    stats: QueryStats
    metrics: Metrics
    tenant: str
    charge: Callable[[int, str], None]
    lazy: bool = False
    max_key_series_ratio: float = 100.0
    whole: dict[str, tuple[int, memoryview]] = field(default_factory=dict)
    """Indexes that were read whole, by ULID: where the bytes begin in the file, and the bytes."""
    charged: dict[str, set[int]] = field(default_factory=dict)
    """Of these: the pages of series that the request was charged for."""
    series_seconds: dict[str, float] = field(default_factory=dict)
    """Time to fetch series entries, by ULID, cache or bucket."""

    def series_batch(self, ulid: str, seconds: float) -> None:
        """A batch of series entries of a block is there."""
        self.series_seconds[ulid] = self.series_seconds.get(ulid, 0.0) + seconds
        self.metrics.fetches(self.tenant).series.observe(seconds)


def plan_reads(
    key: str, starts: NDArray[np.int64], ends: NDArray[np.int64], partitioner: Partitioner
) -> tuple[memoryview, list[Read], NDArray[np.int64]]:
    """Join ascending ranges of one object into reads that fill one new arena.

    Returns the arena, the reads, and int64[r, 4] of (first range, file offset, place in the arena, length) per read.
    """
    table, size = join_ranges(partitioner.partition(starts, ends), starts, ends)
    arena = new_arena(size)
    reads = [Read(key, offset, arena[at : at + length]) for _, offset, at, length in table.tolist()]
    return arena, reads, table
