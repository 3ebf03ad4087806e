"""One set of metrics as blocks of a bucket, with external labels, and as blocks of a Prometheus, without.

Cluster `eu` has two replicas that scrape some seconds apart, with a gap of two hours; cluster `us` has one, in blocks
that overlap. Counters are reset, targets vanish and come back, labels hold what labels can hold.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from storegate.testing import Histogram, write_block
from storegate.testing.chunks import STALE

T0 = 1_699_999_200_000  # ms, a full two hours
HOUR = 3_600_000
BLOCK = 2 * HOUR
END = T0 + 4 * BLOCK
STEP = 30_000

Labels = dict[str, str]
Series = list[tuple[Labels, list[tuple[int, object]]]]

ODD_VALUES = (
    "plain", "with space", 'quote"backslash\\', "new\nline", "größe", "日本語", "emoji 🔥", "{}=~,", "v" * 900, "NaN",
)  # fmt: skip
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, math.inf)


def write_bucket(folder: Path) -> None:
    """The blocks of the bucket, with external labels."""
    for labels, block, start, end in _blocks():
        _write(folder, block, start, end, labels, str(labels))


def write_prometheus(folder: Path, *, only: str = "") -> None:
    """The same samples as Prometheus has its own: with the label `cluster` on each series, or of one cluster only."""
    for labels, block, start, end in _blocks():
        if only in ("", labels["cluster"]):
            burned = {} if only else {"cluster": labels["cluster"]}
            _write(folder, [(series | burned, samples) for series, samples in block], start, end, {}, str(labels))


def _blocks() -> Iterator[tuple[Labels, Series, int, int]]:
    """(external labels, series, start, end) of each block."""
    for replica, offset in (("a", 0), ("b", 7_000)):
        for number in (0, 1, 3):  # the third block is missing
            start = T0 + number * BLOCK
            series = _metrics("eu", offset)
            yield {"cluster": "eu", "replica": replica}, _cut(series, start, start + BLOCK), start, start + BLOCK
    everything = _metrics("us", 3_000)
    yield {"cluster": "us", "replica": "a"}, _cut(everything, T0, END), T0, END
    again = T0 + BLOCK // 2, T0 + BLOCK + BLOCK // 2  # the same samples again, and some that the first block misses
    late = [(labels, samples[::2] if number % 2 else samples) for number, (labels, samples) in enumerate(everything)]
    backfilled = ({"__name__": "backfilled", "job": "batch"}, _gauge(random.Random("late"), 3_000))
    yield {"cluster": "us", "replica": "b"}, _cut([*late, backfilled], *again), *again


def _cut(series: Series, start: int, end: int) -> Series:
    cut = [(labels, [sample for sample in samples if start <= sample[0] < end]) for labels, samples in series]
    return [(labels, samples) for labels, samples in cut if samples]


def _write(folder: Path, series: Series, start: int, end: int, external: Labels, seed: str) -> None:
    write_block(
        folder,
        series,
        external_labels=external,
        min_time=start,
        max_time=end,
        created=start + BLOCK,
        seed=f"{seed}{start}{end}",
    )


def _times(offset: int, step: int = STEP) -> range:
    return range(T0 + offset, END, step)


def _metrics(cluster: str, offset: int) -> Series:
    """All series of a cluster; replicas see the same values at other times."""
    out: Series = []
    for instance in ("web-0:80", "web-1:80", "web-2:80"):
        target = {"job": "web", "instance": instance}
        for code in ("200", "404", "500"):
            source = random.Random(f"{cluster}{instance}{code}")
            labels = {"__name__": "http_requests_total", "code": code, "method": "GET", **target}
            out.append((labels, _counter(source, offset, whole=code != "404")))
        out += _classic_histogram(random.Random(f"{cluster}{instance}h"), offset, target)
        out.append(({"__name__": "up", **target}, _up(random.Random(f"{cluster}{instance}u"), offset)))
        out.append(({"__name__": "temperature", **target}, _gauge(random.Random(f"{cluster}{instance}t"), offset)))
    out.append(({"__name__": "build_info", "job": "web", "instance": "web-0:80", "version": "1.2.3"}, _ones(offset)))
    out.append(({"__name__": "build_info", "job": "web", "instance": "web-1:80", "version": "1.3.0"}, _ones(offset)))
    out.append(({"__name__": "vanishing", "job": "web"}, _vanishing(random.Random(cluster), offset)))
    for number, value in enumerate(ODD_VALUES):
        source = random.Random(f"{cluster}{number}")
        out.append(({"__name__": "odd", "value": value, "n": str(number)}, _gauge(source, offset, 240_000)))
    out.append(({"__name__": "extremes"}, _extremes(offset)))
    for is_float in (False, True):
        name = "rpc_float_seconds" if is_float else "rpc_seconds"
        for route in ("/a", "/b"):
            source = random.Random(f"{cluster}{route}")
            out.append(({"__name__": name, "route": route}, _native(source, offset, is_float=is_float)))
    return out


def _counter(source: random.Random, offset: int, *, whole: bool = True) -> list[tuple[int, object]]:
    total, out = 0.0, []
    for t in _times(offset):
        if source.random() < 0.004:
            total = 0.0
        total += source.randrange(40) if whole else source.random() * 3
        out.append((t, total))
    return out


def _gauge(source: random.Random, offset: int, step: int = STEP) -> list[tuple[int, object]]:
    value, out = 20.0, []
    for t in _times(offset, step):
        value += source.gauss(0, 1)
        out.append((t, value if source.random() < 0.99 else math.nan))
    return out


def _up(source: random.Random, offset: int) -> list[tuple[int, object]]:
    return [(t, float(source.random() > 0.05)) for t in _times(offset)]


def _ones(offset: int) -> list[tuple[int, object]]:
    return [(t, 1.0) for t in _times(offset)]


def _vanishing(source: random.Random, offset: int) -> list[tuple[int, object]]:
    """Ten minutes there, then a stale marker, then ten minutes away."""
    out: list[tuple[int, object]] = []
    for t in _times(offset):
        minute = (t - T0) // 60_000 % 20
        if minute < 10:
            out.append((t, source.random()))
        elif out and out[-1][1] is not STALE:
            out.append((t, STALE))
    return out


def _extremes(offset: int) -> list[tuple[int, object]]:
    values = (0.0, -0.0, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, -1e-300, math.nan, 1 / 3, 2.0**53 + 2)
    return [(t, values[n // 3 % len(values)]) for n, t in enumerate(_times(offset, 60_000))]


def _classic_histogram(source: random.Random, offset: int, target: Labels) -> Series:
    counts, total = [0] * len(BOUNDS), 0.0
    rows: list[list[tuple[int, object]]] = [[] for _ in BOUNDS]
    sums: list[tuple[int, object]] = []
    observations: list[tuple[int, object]] = []
    for t in _times(offset, 60_000):
        if source.random() < 0.003:
            counts, total = [0] * len(BOUNDS), 0.0
        for _ in range(source.randrange(6)):
            seen = source.expovariate(3)
            total += seen
            counts = [count + (seen <= bound) for count, bound in zip(counts, BOUNDS, strict=True)]
        for row, count in zip(rows, counts, strict=True):
            row.append((t, float(count)))
        sums.append((t, total))
        observations.append((t, float(counts[-1])))
    name = "http_request_duration_seconds"
    return [
        *(
            ({"__name__": f"{name}_bucket", "le": "+Inf" if bound == math.inf else str(bound), **target}, row)
            for bound, row in zip(BOUNDS, rows, strict=True)
        ),
        ({"__name__": f"{name}_sum", **target}, sums),
        ({"__name__": f"{name}_count", **target}, observations),
    ]


def _native(source: random.Random, offset: int, *, is_float: bool) -> list[tuple[int, object]]:
    """Histograms whose layout grows, whose counters are reset, and whose target is away for a while."""
    buckets, zeros, total = [0] * 8, 0, 0.0
    width, out = 4, []
    for t in _times(offset, 60_000):
        if source.random() < 0.01:
            buckets, zeros, total, width = [0] * 8, 0, 0.0, 4
        if width < 8 and source.random() < 0.01:
            width += 1
        for _ in range(source.randrange(5)):
            at = source.randrange(width + 1)
            if at == width:
                zeros += 1
            else:
                buckets[at] += 1
                total += 2.0 ** ((at - 3) / 2)
        minute = (t - T0) // 60_000 % 90
        if minute == 80:
            out.append((t, Histogram(sum=STALE, is_float=is_float)))
        elif minute < 80:
            histogram = _histogram(buckets[:width], zeros, total)
            out.append((t, histogram.to_float() if is_float else histogram))
    return out


def _histogram(buckets: Sequence[int], zeros: int, total: float) -> Histogram:
    deltas = [count - before for count, before in zip(buckets, [0, *buckets], strict=False)]
    return Histogram(
        count=sum(buckets) + zeros,
        zero_count=zeros,
        sum=total,
        schema=1,
        zero_threshold=2.0**-128,
        positive_spans=((-3, 2), (1, len(buckets) - 2)),
        positive=tuple(deltas),
    )
