"""Join ranges so that what is read takes the least time, by what reads were measured to cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Gauge

from storegate import PluginContext
from storegate.kernels import coalesce
from storegate.kernels.plan import join_ranges
from storegate_partitioners import CostConfig
from storegate_partitioners.read_cost import ReadCost

REPORTS = 32
"""Latency and throughput are estimated anew after so many reads."""


def make_partitioner(config: CostConfig, context: PluginContext) -> CostPartitioner:
    """Factory of the provider `cost`."""
    latency = Gauge(
        "storegate_partitioner_latency_seconds", "What a request costs beside its bytes", registry=context.registry
    )
    throughput = Gauge(
        "storegate_partitioner_bytes_per_second", "What one request transfers", registry=context.registry
    )
    return CostPartitioner(config, latency, throughput)


class CostPartitioner:
    """Tries gaps, each twice the one before, and takes the one whose reads cost least. Thread-safe.

    Reads of a batch run side by side, `parallel` of them at a time: so they take the latency once for each round, and
    the time of the longest one or of all bytes, whichever is longer. Every request costs something of its own on top.
    Until `REPORTS` reads were measured, and where they are all of one size, the gap is `first_gap`.
    """

    def __init__(self, config: CostConfig, latency: Gauge, throughput: Gauge) -> None:
        self._config = config
        self._latency, self._throughput = latency, throughput
        self._cost = ReadCost()
        self._reports = 0
        self._known: tuple[float, float] | None = None

    def partition(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `storegate.Partitioner.partition`."""
        known, config = self._known, self._config
        if known is None or len(starts) < 2:
            return coalesce(starts, ends, config.first_gap)
        gap = config.min_gap
        best = coalesce(starts, ends, gap)
        least = self._seconds(best, starts, ends, known)
        while len(best) > 1 and 2 * gap <= config.max_gap:
            gap = max(2 * gap, 1)
            cuts = coalesce(starts, ends, gap)
            seconds = self._seconds(cuts, starts, ends, known)
            if seconds < least:
                best, least = cuts, seconds
            if len(cuts) == 1:
                break
        return best

    def read_done(self, size: int, seconds: float) -> None:
        """See `storegate.LearnsFromReads`."""
        self._cost.add(size, seconds)
        self._reports += 1  # threads may lose a count to one another: the estimate comes a little later then
        if self._reports % REPORTS == 0:
            self._estimate()

    def _seconds(
        self, cuts: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64], known: tuple[float, float]
    ) -> float:
        """What reads that begin at `cuts` cost."""
        latency, per_byte = known
        table, total = join_ranges(cuts, starts, ends)
        reads, parallel = len(cuts), self._config.parallel
        rounds = -(-reads // parallel)
        transfer = max(int(table[:, 3].max()), total / min(reads, parallel)) * per_byte
        return rounds * latency + transfer + self._config.request_weight * reads * latency / parallel

    def _estimate(self) -> None:
        found = self._cost.estimate()
        if found is not None:
            self._known = found
            self._latency.set(found[0])
            self._throughput.set(1 / found[1])
