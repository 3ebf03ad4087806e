"""The buckets of the benchmark, made by the block writer and kept between runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storegate.testing.block_writer import write_block_arrays

Labels = dict[str, str]
START = 1_700_000_000_000  # ms
STEP = 15_000
BLOCK = 2 * 3600 * 1000
METRICS = ("http_requests_total", "http_request_errors_total", "process_cpu_seconds_total", "queue_depth")
CREATED = 1_790_000_000_000


@dataclass(frozen=True)
class Size:
    """How much is measured: the full size gives the figures, the small one only shows that it works."""

    name: str
    series: int  # of the one large block, a quarter of them per metric
    samples: int
    blocks: int  # small blocks beside one another in time
    block_series: int
    runs: int


FULL = Size("full", 20_000, 480, 200, 2_000, 9)
SMALL = Size("small", 400, 120, 6, 40, 2)


def large_block(folder: Path, size: Size) -> Path:
    """One block of `size.series` series."""
    bucket = folder / f"large-{size.name}"
    if not (bucket / "done").exists():
        labels = [_labels(metric, i) for metric in METRICS for i in range(size.series // len(METRICS))]
        _write(bucket, labels, START, size.samples, 0)
        (bucket / "done").touch()
    return bucket


def many_blocks(folder: Path, size: Size) -> Path:
    """`size.blocks` blocks, each two hours after the one before, all with the same series."""
    bucket = folder / f"many-{size.name}"
    if not (bucket / "done").exists():
        labels = [_labels(metric, i) for metric in METRICS for i in range(size.block_series // len(METRICS))]
        for block in range(size.blocks):
            _write(bucket, labels, START + block * BLOCK, 120, block)
        (bucket / "done").touch()
    return bucket


def _labels(metric: str, i: int) -> Labels:
    return {
        "__name__": metric,
        "cluster_zone": f"zone-{i % 3}",
        "code": ("200", "404", "500")[i % 3],
        "instance": f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}:9100",
        "job": f"service-{i % 20:02d}",
        "method": ("GET", "POST")[i % 2],
        "namespace": f"team-{i % 50:02d}",
        "pod": f"pod-{i:05d}-{i * 7919 % 65536:04x}",
    }


def _write(bucket: Path, labels: Sequence[Labels], start: int, samples: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    times = start + STEP * np.arange(samples, dtype=np.int64)
    write_block_arrays(
        bucket,
        labels,
        times,
        _values(random, len(labels), samples),
        external_labels={"region": "eu-1", "replica": "a"},
        created=CREATED + seed,
        seed=seed,
        max_time=start + BLOCK if samples * STEP <= BLOCK else None,
        min_time=start,
    )


def _values(random: np.random.Generator, series: int, samples: int) -> NDArray[np.float64]:
    """Counters that grow by whole numbers, and by tenths: chunks of a realistic size."""
    growth = random.integers(0, 400, (series, samples)).astype(np.float64)
    growth[::2] /= 8
    return np.cumsum(growth, axis=1)
