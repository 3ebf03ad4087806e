"""Remote read against the floor of HTTP: the same bytes, ready-made, from a bare application on the same server."""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cramjam
import floor as floor_server
from buckets import METRICS, Size, large_block
from client import ALWAYS
from scenarios import MS, Row, limit
from servers import HERE, Process, gateway

from storegate_proto.prompb import remote_pb2

SAMPLES, CHUNKS = 0, 1
EQUAL, REGEX = 0, 2
PIECE = 1 << 20
CONFIG = "frontends: [{type: grpc}, {type: http}, {type: remote-read, config: {max_samples: 0}}]\n"


class HttpClient:
    """One connection; takes answers as bytes, decodes nothing."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address)

    def body(self, request: bytes) -> bytes:
        """The whole answer."""
        self._connection.request("POST", "/api/v1/read", request)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {body!r}")
        return body

    def time(self, request: bytes) -> float:
        """Seconds until the last byte is there."""
        started = time.perf_counter()
        self._connection.request("POST", "/api/v1/read", request)
        answer = self._connection.getresponse()
        while answer.read(PIECE):
            pass
        return time.perf_counter() - started

    def close(self) -> None:
        self._connection.close()


def read_request(kind: int, name: str, type_: int, value: str, func: str = "") -> bytes:
    """An encoded and compressed request over all time."""
    message = remote_pb2.ReadRequest(accepted_response_types=[kind])
    query = message.queries.add(start_timestamp_ms=ALWAYS[0], end_timestamp_ms=ALWAYS[1])
    query.matchers.add(type=type_, name=name, value=value)
    query.hints.func = func
    return bytes(cramjam.snappy.compress_raw(message.SerializeToString()))


@contextmanager
def http_floor(bodies: Path) -> Iterator[Process]:
    process = subprocess.Popen([sys.executable, str(HERE / "http_floor.py"), str(bodies)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield Process(process.pid, "", f"127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.terminate()
        process.wait()


def remote_read(folder: Path, work: Path, size: Size) -> list[Row]:
    """One client, one large block: streamed chunks, labels only, samples."""
    cases = {
        "one": (
            f"remote read: one metric, {size.series // len(METRICS)} series, streamed chunks", 4.0,
            read_request(CHUNKS, "__name__", EQUAL, METRICS[0]),
        ),
        "all": (
            f"remote read: all {size.series} series, streamed chunks", 4.0,
            read_request(CHUNKS, "__name__", REGEX, ".+"),
        ),
        "labels": (
            f"remote read: all {size.series} series, labels only", 6.0,
            read_request(CHUNKS, "__name__", REGEX, ".+", "series"),
        ),
        "samples": (
            f"remote read: one metric, {size.series // len(METRICS)} series, samples", 20.0,
            read_request(SAMPLES, "__name__", EQUAL, METRICS[0]),
        ),
    }  # fmt: skip
    config = work / "storegate.yml"
    config.write_text(CONFIG)
    bodies = work / "bodies"
    rows = []
    with gateway(large_block(folder, size), work / "data", [f"--config={config}"]) as running:
        mine = HttpClient(running.http)
        answers = {name.encode(): mine.body(request) for name, (_, _, request) in cases.items()}
        floor_server.store(bodies, {name: _pieces(body) for name, body in answers.items()})
        with http_floor(bodies) as floor:
            theirs = HttpClient(floor.http)
            for name, (text, most, request) in cases.items():
                rows.append(_row(text, most, running, size, (mine, request), (theirs, name.encode())))
            theirs.close()
        mine.close()
    return rows


def _pieces(body: bytes) -> list[bytes]:
    return [body[at : at + PIECE] for at in range(0, len(body), PIECE)]


def _row(
    text: str,
    most: float,
    running: Process,
    size: Size,
    mine: tuple[HttpClient, bytes],
    theirs: tuple[HttpClient, bytes],
) -> Row:
    before = running.bucket_use()
    running.reset_peak()
    mine[0].time(mine[1])
    peak, after = running.rss(), running.bucket_use()
    times: list[tuple[float, float]] = []
    for _ in range(size.runs):
        times.append((mine[0].time(mine[1]), theirs[0].time(theirs[1])))
    spent, least = (statistics.median(column) for column in zip(*times, strict=True))
    return limit(
        text, most, spent / least, ms=spent * MS, floor_ms=least * MS, peak_rss=peak,
        requests=after[0] - before[0], bytes=after[1] - before[1],
    )  # fmt: skip
