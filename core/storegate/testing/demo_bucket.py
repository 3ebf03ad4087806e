"""Writes a small, realistic bucket: three services in two clusters, two days of two-hour blocks that end near now.

Cluster `eu` has a pair of replicas that scrape the same targets some seconds apart; cluster `us` has one. Counters grow
with the time of day and are reset by a restart, gauges drift, latencies are native histograms.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storegate.testing.block_writer import BlockOptions, PutTarget, encode_arrays, write_block_raw
from storegate.testing.chunks import Histogram, RawChunk, encode_samples

BLOCK = 2 * 3600 * 1000  # ms, like all times here
BLOCKS = 24
STEP = 30_000
HISTOGRAM_STEP = 60_000
DAY = 24 * 3600 * 1000
SCRAPES = BLOCK // STEP  # samples of one series in one block
PROBES = BLOCK // HISTOGRAM_STEP
UPLOAD_DELAY = 60_000

SERVICES = {"catalog": 2, "checkout": 3, "payments": 2}
"""Instances by service."""
STATUSES = (("GET", "200", 40.0), ("POST", "200", 12.0), ("GET", "404", 1.5), ("POST", "500", 0.2))
"""Method, code, and mean requests a second."""
REPLICAS = (
    ({"cluster": "eu", "replica": "a"}, 0),
    ({"cluster": "eu", "replica": "b"}, 7_000),
    ({"cluster": "us", "replica": "a"}, 3_000),
)
"""External labels, and how long after the full step the scrapes come."""
LATENCY_BUCKETS = (1, 4, 13, 27, 31, 16, 6, 2)
"""Per cent of requests by bucket; schema 1, each bound 1.41 times the one before."""
FIRST_BUCKET = -12  # about 16 ms

Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class DemoBucket:
    """What was written; `start` and `end` (exclusive) are ms."""

    blocks: int
    series: int
    samples: int
    start: int
    end: int


def write_demo_bucket(target: Path | PutTarget, now: int) -> DemoBucket:
    """Write the bucket as it would lie there at `now` (ms); the same `now` gives the same bytes."""
    end = now - now % BLOCK
    start = end - BLOCKS * BLOCK
    series = samples = 0
    for external, offset in REPLICAS:
        chunks = _float_chunks(external["cluster"], start + offset) | _histogram_chunks(
            external["cluster"], start + offset
        )
        for number in range(BLOCKS):
            block_end = start + (number + 1) * BLOCK
            written = write_block_raw(
                target,
                ((dict(labels), per_block[number]) for labels, per_block in chunks.items()),
                options=BlockOptions(
                    external_labels=external,
                    min_time=block_end - BLOCK,
                    max_time=block_end,
                    created=min(now, block_end + UPLOAD_DELAY),
                    seed=f"{external}{number}",
                    source="sidecar",
                ),
            )
            samples += written.document["stats"]["numSamples"]
        series += len(chunks)
    return DemoBucket(len(REPLICAS) * BLOCKS, series, samples, start, end)


Chunks = dict[tuple[tuple[str, str], ...], Sequence[Sequence[RawChunk]]]
"""Chunks of each block, by label set."""


def _targets() -> Iterator[Labels]:
    for service, instances in SERVICES.items():
        for number in range(instances):
            yield {"job": f"shop/{service}", "service": service, "instance": f"{service}-{number}:8080"}


def _random(cluster: str, labels: Labels) -> np.random.Generator:
    """Randomness of one series, the same for all replicas."""
    return np.random.default_rng(zlib.crc32(f"{cluster}{sorted(labels.items())}".encode()))


def _float_chunks(cluster: str, start: int) -> Chunks:
    times = start + np.arange(BLOCKS * SCRAPES, dtype=np.int64) * STEP
    rows: list[tuple[Labels, NDArray[np.float64]]] = []
    for target in _targets():
        rows.append(_up(cluster, target, times))
        rows += [_requests(cluster, target, times, *status) for status in STATUSES]
        rows.append(_memory(cluster, target, times))
        rows.append(_queue(cluster, target, times))
    # one row per series and block, so that all chunks are encoded at once
    values = np.stack([row for _, row in rows]).reshape(-1, SCRAPES)
    chunks = encode_arrays(np.tile(times, len(rows)).reshape(-1, SCRAPES), values)
    return {_key(labels): chunks[row * BLOCKS : (row + 1) * BLOCKS] for row, (labels, _) in enumerate(rows)}


def _key(labels: Labels) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _day_shape(times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Traffic by time of day: 0.4 at night, 1.6 in the afternoon."""
    return np.asarray(1 - 0.6 * np.cos(2 * math.pi * (times % DAY) / DAY - 0.5))


def _up(cluster: str, target: Labels, times: NDArray[np.int64]) -> tuple[Labels, NDArray[np.float64]]:
    labels = {"__name__": "up", **target}
    down = _random(cluster, labels).random(len(times)) < 0.0005
    return labels, np.where(down, 0.0, 1.0)


def _requests(
    cluster: str, target: Labels, times: NDArray[np.int64], method: str, code: str, rate: float
) -> tuple[Labels, NDArray[np.float64]]:
    labels = {"__name__": "http_requests_total", "method": method, "code": code, **target}
    source = _random(cluster, labels)
    total = np.cumsum(source.poisson(rate * STEP / 1000 * _day_shape(times))).astype(np.float64)
    restart = int(_random(cluster, target).integers(len(times) // 4, len(times)))  # all counters of a target together
    total[restart:] -= total[restart - 1]
    return labels, total


def _memory(cluster: str, target: Labels, times: NDArray[np.int64]) -> tuple[Labels, NDArray[np.float64]]:
    labels = {"__name__": "process_resident_memory_bytes", **target}
    source = _random(cluster, labels)
    pages = 40_000 + 12_000 * _day_shape(times) + np.cumsum(source.integers(-20, 21, len(times)))
    return labels, np.floor(pages) * 4096


def _queue(cluster: str, target: Labels, times: NDArray[np.int64]) -> tuple[Labels, NDArray[np.float64]]:
    labels = {"__name__": "queue_length", **target}
    return labels, _random(cluster, labels).poisson(3 * _day_shape(times)).astype(np.float64)


def _histogram_chunks(cluster: str, start: int) -> Chunks:
    times = start + np.arange(BLOCKS * PROBES, dtype=np.int64) * HISTOGRAM_STEP
    chunks: Chunks = {}
    for target in _targets():
        labels = {"__name__": "http_request_duration_seconds", **target}
        samples = list(zip(times.tolist(), _latencies(_random(cluster, labels), times), strict=True))
        blocks = [samples[first : first + PROBES] for first in range(0, len(samples), PROBES)]
        chunks[_key(labels)] = [encode_samples(block) for block in blocks]
    return chunks


def _latencies(source: np.random.Generator, times: NDArray[np.int64]) -> Iterator[Histogram]:
    weights = np.array(LATENCY_BUCKETS) / 100
    counts = np.cumsum(source.poisson(weights * 50 * _day_shape(times)[:, None]), axis=0)
    middles = 2.0 ** ((np.arange(len(weights)) + FIRST_BUCKET - 0.5) / 2)
    differences = np.diff(counts, axis=1, prepend=0)
    rows = zip(counts.sum(axis=1).tolist(), (counts @ middles).round(3).tolist(), differences.tolist(), strict=True)
    for count, total, buckets in rows:
        yield Histogram(
            count=count,
            sum=total,
            schema=1,
            zero_threshold=2.0**-128,
            positive_spans=((FIRST_BUCKET, len(buckets)),),
            positive=tuple(buckets),
        )
