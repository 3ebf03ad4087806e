"""Join ranges across small gaps: a request costs more than the bytes between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storegate import PluginContext
from storegate.kernels import coalesce
from storegate_partitioners import GapConfig


def make_partitioner(config: GapConfig, context: PluginContext) -> GapPartitioner:
    """Factory of the provider `gap`."""
    return GapPartitioner(config.max_gap)


class GapPartitioner:
    """A new read begins where more than `max_gap` bytes lie between a range and all ranges before it. Pure."""

    def __init__(self, max_gap: int) -> None:
        self._max_gap = max_gap

    def partition(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `storegate.Partitioner.partition`."""
        return coalesce(starts, ends, self._max_gap)
