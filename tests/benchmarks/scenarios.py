"""What is measured. Every time is a median of runs that alternate with the floor, so the machine's moods cancel out."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import floor as floor_server
from buckets import METRICS, Size, large_block, many_blocks
from client import Client, series_request
from servers import Process, floor, gateway

MS = 1000.0
MIB = 1 << 20
CACHING_BUCKET = "--store.caching-bucket.config={type: IN-MEMORY}"
KINDS = ("sync", "aio")
"""The floor is whichever of grpcio's two servers is faster in a scenario."""


@dataclass
class Row:
    """One line of the table. `ratio` is time over floor, or what `unit` says; `wanted` is the target."""

    scenario: str
    wanted: str
    ratio: float
    unit: str = "x floor"
    ms: float | None = None
    floor_ms: float | None = None
    requests: int | None = None
    bytes: int | None = None
    peak_rss: int | None = None
    met: bool | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def limit(scenario: str, most: float, ratio: float, **values: Any) -> Row:
    """A row whose target is an upper bound."""
    return Row(scenario, f"<= {most:g}", ratio, met=ratio <= most, **values)


class Bench:
    """A gateway over one bucket, and floors that replay what it answered."""

    def __init__(self, bucket: Path, work: Path, size: Size, flags: tuple[str, ...] = ()) -> None:
        self._bucket, self._work, self._size, self._flags = bucket, work, size, flags
        self.gateway: Process
        self.client: Client
        self.floors: dict[str, tuple[Process, Client]] = {}

    @contextmanager
    def running(self, requests: dict[str, bytes]) -> Iterator[Bench]:
        """Start the gateway, record its answers to the requests, start the floors."""
        with ExitStack() as stack:
            self.gateway = stack.enter_context(gateway(self._bucket, self._work / "data", self._flags))
            self.client = Client(self.gateway.address)
            stack.callback(self.client.close)
            frames = self._work / "frames"
            floor_server.store(
                frames, {name.encode(): self.client.frames(request) for name, request in requests.items()}
            )
            for kind in KINDS:
                process = stack.enter_context(floor(frames, kind))
                client = Client(process.address)
                stack.callback(client.close)
                self.floors[kind] = process, client
            yield self

    def alternate(self, name: str, request: bytes) -> tuple[float, float, dict[str, float]]:
        """Median seconds of the gateway and of the better floor, and the medians of all."""
        times: dict[str, list[float]] = {"gateway": []} | {kind: [] for kind in KINDS}
        for run in range(self._size.runs + 1):
            for who, spent in times.items():
                client, body = (self.client, request) if who == "gateway" else (self.floors[who][1], name.encode())
                seconds = client.time(body)
                if run:  # the first one warms up
                    spent.append(seconds)
        medians = {who: statistics.median(spent) for who, spent in times.items()}
        return medians["gateway"], min(medians[kind] for kind in KINDS), medians

    def measure(self, scenario: str, most: float, name: str, request: bytes) -> Row:
        """The row of one streaming scenario."""
        before = self.gateway.bucket_use()
        self.gateway.reset_peak()
        self.client.time(request)
        peak = self.gateway.rss()
        after = self.gateway.bucket_use()
        mine, least, all_medians = self.alternate(name, request)
        return limit(
            scenario, most, mine / least, ms=mine * MS, floor_ms=least * MS, peak_rss=peak,
            requests=after[0] - before[0], bytes=after[1] - before[1],
            detail={f"{who}_ms": seconds * MS for who, seconds in all_medians.items()},
        )  # fmt: skip


def streaming(folder: Path, work: Path, size: Size) -> list[Row]:
    """One client, one large block: with chunks and without, in batches and one by one."""
    one, every = [("__name__", "=", METRICS[0])], [("__name__", "=~", ".+")]
    quarter, whole = size.series // len(METRICS), size.series
    cases = {
        "one": (
            f"one metric, {quarter} series, with chunks", 1.8, 1.3, series_request(one), series_request(one, batch=0),
        ),
        "all": (f"all {whole} series with chunks", 1.7, 1.3, series_request(every), series_request(every, batch=0)),
        "labels": (
            f"all {whole} series, labels only", 1.5, 1.3,
            series_request(every, skip_chunks=True), series_request(every, skip_chunks=True, batch=0),
        ),
    }  # fmt: skip
    requests = {}
    for name, (_, _, _, batched, single) in cases.items():
        requests |= {name: batched, f"{name}-single": single}
    rows = []
    with Bench(large_block(folder, size), work, size).running(requests) as bench:
        for name, (text, batch_limit, _, batched, _) in cases.items():
            rows.append(bench.measure(f"{text}, batch 64", batch_limit, name, batched))
        for name, (text, _, single_limit, _, single) in cases.items():
            rows.append(bench.measure(f"{text}, unbatched", single_limit, f"{name}-single", single))
        rows += [*_memory(bench, rows), _small_queries(bench, size), _regex(bench, size)]
    return rows


def _memory(bench: Bench, rows: list[Row]) -> list[Row]:
    """Peak RSS: all series against one metric, eight slow clients against one."""
    request = series_request([("__name__", "=~", ".+")])
    peaks = [row.peak_rss or 0 for row in rows]
    yield_rows = [
        limit("peak RSS: all series over one metric", 1.5, peaks[1] / peaks[0], unit="x", peak_rss=peaks[1]),
    ]

    def peak(clients: int) -> int:
        bench.gateway.reset_peak()
        threads = [
            threading.Thread(target=Client(bench.gateway.address).slowly, args=(request, 0.005)) for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return bench.gateway.rss()

    single, eight = peak(1), peak(8)
    yield_rows.append(limit("peak RSS: eight slow clients over one", 2.0, eight / single, unit="x", peak_rss=eight))
    return yield_rows


def _small_queries(bench: Bench, size: Size) -> Row:
    """Queries per second of one series, eight clients, against the floor."""
    name = "one-series"
    request = series_request([("__name__", "=", METRICS[0]), ("pod", "=", "pod-00007-d889")])
    seconds = 0.5 if size.name == "small" else 2.0

    def rate(address: str, body: bytes) -> float:
        done = [0] * 8

        def work(i: int) -> None:
            client = Client(address)
            client.time(body)
            barrier.wait()
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                client.time(body)
                done[i] += 1
            client.close()

        barrier = threading.Barrier(8)
        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(done) / seconds

    frames = bench._work / "one-series"
    floor_server.store(frames, {name.encode(): bench.client.frames(request)})
    rounds = 1 if size.name == "small" else 3
    found: dict[str, list[float]] = {"gateway": []} | {kind: [] for kind in KINDS}
    with ExitStack() as stack:
        addresses = {kind: stack.enter_context(floor(frames, kind)).address for kind in KINDS}
        for _ in range(rounds):
            found["gateway"].append(rate(bench.gateway.address, request))
            for kind in KINDS:
                found[kind].append(rate(addresses[kind], name.encode()))
    medians = {who: statistics.median(rates) for who, rates in found.items()}
    ratio = medians["gateway"] / max(medians[kind] for kind in KINDS)
    return Row(
        "one series, warm, 8 clients: queries/s", ">= 0.5", ratio, unit="of floor", met=ratio >= 0.5,
        detail={f"{who}_per_second": value for who, value in medians.items()},
    )  # fmt: skip


def _regex(bench: Bench, size: Size) -> Row:
    """A regex over all pods of one metric that one in a hundred matches, against the same series by name."""
    pods = [f"pod-{i:05d}-{i * 7919 % 65536:04x}" for i in range(0, size.series // len(METRICS), 100)]
    metric = ("__name__", "=", METRICS[0])
    by_name = series_request([metric, ("pod", "=~", "|".join(pods))])
    by_regex = series_request([metric, ("pod", "=~", "pod-[0-9]{3}00-.*")])
    times: dict[bytes, list[float]] = {by_name: [], by_regex: []}
    for run in range(size.runs * 3 + 1):
        for request, spent in times.items():
            seconds = bench.client.time(request)
            if run:
                spent.append(seconds)
    named, matched = statistics.median(times[by_name]), statistics.median(times[by_regex])
    return limit(
        f"regex over {size.series // len(METRICS)} values, warm, over the same series by name", 3, matched / named,
        unit="x by name", ms=matched * MS, floor_ms=named * MS,
    )  # fmt: skip


def many(folder: Path, work: Path, size: Size) -> list[Row]:
    """Many blocks: time, requests when cold and warm, memory when idle, restart."""
    bucket = many_blocks(folder, size)
    hundred = series_request([("__name__", "=", METRICS[1]), ("job", "=~", "service-0[0-3]")])
    one = series_request([("__name__", "=", METRICS[0]), ("pod", "=", "pod-00007-d889")])
    rows: list[Row] = []
    with Bench(bucket, work / "many", size).running({}) as bench:
        start = bench.gateway.bucket_use()
        rows.append(_per_block("start: requests beside the listing, per block", 3, start, size))
        idle = bench.gateway.rss("VmRSS")
        rows.append(limit("all blocks loaded and idle: RSS in MiB", 200, idle / MIB, unit="MiB", peak_rss=idle))
        rows.append(_requests(bench, "one series, cold: requests per block", 2, one, size))
        rows.append(_requests(bench, "one series, warm: requests per block", 1, one, size))
    with Bench(bucket, work / "many", size).running({}) as bench:
        again = bench.gateway.bucket_use()
        rows.append(_per_block("restart with its data: requests beside the listing, per block", 0, again, size))
    with Bench(bucket, work / "many", size, (CACHING_BUCKET,)).running({}) as bench:
        bench.client.time(one)
        text = f"one series out of {size.blocks} blocks, warm, with the caching bucket: requests per block"
        rows.append(_requests(bench, text, 0, one, size))
    with Bench(bucket, work / "many", size).running({"hundred": hundred}) as bench:
        text = f"{_count(bench, hundred)} series x {size.blocks} blocks, warm"
        rows.append(bench.measure(text, 3, "hundred", hundred))
    return rows


def _count(bench: Bench, request: bytes) -> int:
    from storegate_proto.store.storepb import rpc_pb2

    return sum(len(rpc_pb2.SeriesResponse.FromString(frame).batch.series) for frame in bench.client.frames(request))


def _per_block(scenario: str, most: float, use: tuple[int, int], size: Size, listings: int = 1) -> Row:
    """A row of `use`, (requests, bytes); `listings` of the requests were to list the bucket."""
    ratio = (use[0] - listings) / size.blocks
    return limit(scenario, most, ratio, unit="per block", requests=use[0], bytes=use[1])


def _requests(bench: Bench, scenario: str, most: float, request: bytes, size: Size) -> Row:
    before = bench.gateway.bucket_use()
    bench.client.time(request)
    after = bench.gateway.bucket_use()
    return _per_block(scenario, most, (after[0] - before[0], after[1] - before[1]), size, listings=0)


def start_up(work: Path, runs: int) -> Row:
    """From nothing to ready on an empty bucket, against importing the libraries."""
    import subprocess
    import sys

    empty = work / "empty"
    empty.mkdir(parents=True, exist_ok=True)
    mine, imports = [], []
    for run in range(runs):
        started = time.perf_counter()
        with gateway(empty, work / f"start-{run}"):
            mine.append(time.perf_counter() - started)
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import grpc, numpy, pydantic, starlette"], check=True)
        imports.append(time.perf_counter() - started)
    ready, bare = statistics.median(mine), statistics.median(imports)
    return limit(
        "ready on an empty bucket, over the imports",
        3,
        ready / bare,
        unit="x imports",
        ms=ready * MS,
        floor_ms=bare * MS,
    )


STORES = {"near": (0.001, 200e6, 100), "far": (0.08, 50e6, 1000)}
"""(latency in s, bytes per second of a request, one of how many series is asked for) in this and in another region."""
NO_CACHE = "index_cache: {type: IN-MEMORY, config: {max_size: 1, max_item_size: 1}}"


def partitioners(folder: Path, work: Path, size: Size) -> list[Row]:
    """What `cost` saves against `gap`: scattered series, without a cache, over two kinds of store."""
    bucket = large_block(folder, size)
    rows = []
    for place, (_, _, step) in STORES.items():
        pods = [f"pod-{i:05d}-{i * 7919 % 65536:04x}" for i in range(0, size.series // len(METRICS), step)]
        request = series_request([("pod", "=~", "|".join(pods))])
        rows += [_scattered(place, name, bucket, work, size, request) for name in ("gap", "cost")]
    return rows


def _scattered(place: str, name: str, bucket: Path, work: Path, size: Size, request: bytes) -> Row:
    every = series_request([("__name__", "=", METRICS[0])])
    config = work / f"{place}-{name}.yml"
    config.write_text(f"partitioner: {{type: {name}}}\n{NO_CACHE}\n")
    latency, bandwidth, _ = STORES[place]
    flags = (f"--config={config}",)
    with gateway(bucket, work / f"{place}-{name}", flags, latency=latency, bandwidth=bandwidth) as running:
        client = Client(running.address)
        for body in [every, request] * (2 if size.name == "small" else 8):  # something to learn from
            client.time(body)
        before = running.bucket_use()
        times = [client.time(request) for _ in range(size.runs)]
        after = running.bucket_use()
        client.close()
    requests, read = ((b - a) // size.runs for a, b in zip(before, after, strict=True))
    spent = statistics.median(times)
    return Row(
        f"scattered series, {place} store, partitioner {name}", "", spent * MS, unit="ms", ms=spent * MS,
        requests=requests, bytes=read,
    )  # fmt: skip


SUITES: dict[str, Callable[[Path, Path, Size], list[Row]]] = {
    "streaming": streaming,
    "many": many,
    "partitioners": partitioners,
    "start": lambda folder, work, size: [start_up(work, size.runs)],
}
