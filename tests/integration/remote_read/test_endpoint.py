"""The endpoint of a real gateway: beside the obvious reader, beside Prometheus' own endpoint, and with bad clients."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from remote_read.blocks import END, HOUR, T0
from remote_read.client import CHUNKS, PATH, SAMPLES, encode_request, post, query, read_chunked, read_samples
from servers.process import wait_for
from servers.prometheus import Prometheus

from storegate.query.request import LabelMatcher, SeriesRequest
from storegate.testing import obvious_series, read_block, write_block_arrays
from storegate.testing.chunks import Histogram, Sample, comparable, decode_chunk

ANY = (2, "__name__", ".+")
FLOATS = (3, "__name__", "rpc_.*")
RANGES = ((T0, END), (T0 + HOUR // 3, T0 + HOUR // 2), (END - HOUR, END + HOUR), (END + 1, END + 2), (T0, T0))
WAIT = 30.0


def ask(address: str, low: int, high: int, accepted: int, *matchers: Any) -> Any:
    answer = post(address, encode_request([query(low, high, *matchers)], [accepted]))
    assert answer.status == 200, answer.body
    return read_chunked(answer.body) if accepted == CHUNKS else read_samples(answer.body)[0]


def cut(samples: list[Sample], low: int, high: int) -> Any:
    return comparable([sample for sample in samples if low <= sample[0] <= high])


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_both_kinds_of_answers_are_those_of_the_obvious_reader(gateway: Any, bucket: Path, low: int, high: int) -> None:
    request = SeriesRequest(
        min_time=low,
        max_time=high,
        matchers=(LabelMatcher(*ANY),),
        aggregates=(0,),
        without_replica_labels=("replica",),
    )
    blocks = sorted(map(read_block, bucket.iterdir()), key=lambda block: (sorted(block.labels.items()), block.ulid))
    expected = []
    for one in obvious_series(blocks, request):
        first: dict[int, Any] = {}
        for chunk in one.chunks:
            encoding, data = chunk.aggregates["raw"]
            for t, value in decode_chunk(encoding + 1, data):
                first.setdefault(t, value)
        expected.append((one.labels, cut(sorted(first.items(), key=lambda item: item[0]), low, high)))
    found = ask(gateway.http_address, low, high, SAMPLES, ANY)
    assert [(labels, comparable(own)) for labels, own in found] == expected
    streamed = ask(gateway.http_address, low, high, CHUNKS, ANY)
    assert [(one.labels, cut(one.samples(), low, high)) for one in streamed] == expected


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_samples_are_those_of_prometheus_own_endpoint(gateway: Any, local: Prometheus, low: int, high: int) -> None:
    """Without native histograms, which Debian's version does not answer in this form, and but for zeros' signs."""
    mine = ask(gateway.http_address, low, high, SAMPLES, ANY, FLOATS)
    theirs = ask(local.address, low, high, SAMPLES, ANY, FLOATS)
    assert [(labels, comparable(unsigned_zeros(own))) for labels, own in mine if own] == [
        (labels, comparable(own)) for labels, own in theirs if own
    ]


def unsigned_zeros(samples: list[Sample]) -> list[Sample]:
    """Prometheus leaves zeros out of its messages, negative ones too, so that they are read as 0."""
    return [(t, 0.0 if value == 0 else value) for t, value in samples]


def test_streamed_chunks_are_those_of_prometheus_own_endpoint(gateway: Any, local: Prometheus) -> None:
    mine = {one.labels: one for one in ask(gateway.http_address, T0, END, CHUNKS, ANY)}
    theirs = ask(local.address, T0, END, CHUNKS, ANY)
    assert [one.labels for one in theirs] == list(mine)
    for one in theirs:
        assert numbers(mine[one.labels].samples()) == numbers(one.samples())


def numbers(samples: list[Sample]) -> Any:
    """Bit by bit, but for gaps in layouts: Prometheus writes a bucket without observations where another has some."""
    rows = []
    for t, value in samples:
        if not isinstance(value, Histogram):
            rows += comparable([(t, value)])
            continue
        value, at, buckets = value.to_float(), 0, {}
        counts = iter(value.positive)
        for offset, length in value.positive_spans:
            at += offset
            for _ in range(length):
                buckets[at] = next(counts)
                at += 1
        found = tuple((index, count) for index, count in sorted(buckets.items()) if count)
        rows.append((t, value.count, value.zero_count, struct.pack(">d", value.sum), found))
    return rows


# --- bad clients and limits, over a bucket whose answers are large ---


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One block whose answer is some 8 MB: noise does not compress."""
    folder = tmp_path_factory.mktemp("large")
    values = np.random.default_rng(1).normal(size=(8_000, 120))
    labels = [{"__name__": "noise", "n": f"{number:06}"} for number in range(8_000)]
    write_block_arrays(folder, labels, T0 + 15_000 * np.arange(120), values, external_labels={"region": "eu"}, seed=1)
    return folder


SETTINGS = """\
limits: {concurrency: 1, series: 8000}
frontends:
  - {type: grpc}
  - {type: http}
  - {type: remote-read, config: {timeout: 20s, max_request_size: 10KiB, max_samples: 500000}}
  - {type: remote-read, config: {timeout: 1s, path: /hasty}}
"""


@pytest.fixture(scope="module")
def strict(start_store: Callable[..., Any], large: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    config = tmp_path_factory.mktemp("config") / "storegate.yml"
    config.write_text(SETTINGS)
    with start_store(large, [f"--config={config}"]) as store:
        yield store


def metric(store: Any, name: str) -> float:
    for line in store.get("/metrics")[1].decode().splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    return 0.0


def nothing_runs(store: Any) -> bool:
    return metric(store, "thanos_bucket_store_series_gate_queries_in_flight") == 0


ALL = encode_request([query(T0, END, (0, "__name__", "noise"))], [CHUNKS])


def stalled(store: Any, body: bytes, path: str = PATH) -> socket.socket:
    """A client that asks, reads the first bytes, and then no more."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    host, port = store.http_address.split(":")
    opened.connect((host, int(port)))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    opened.sendall(head.encode() + body)
    assert opened.recv(12) == b"HTTP/1.1 200"
    return opened


def test_a_large_answer_comes_whole(strict: Any) -> None:
    answer = post(strict.http_address, ALL)
    assert (answer.status, answer.truncated) == (200, False)
    assert len(read_chunked(answer.body)) == 8_000


def test_a_client_that_goes_away_makes_room_for_the_next(strict: Any) -> None:
    client = stalled(strict, ALL)
    assert metric(strict, "thanos_bucket_store_series_gate_queries_in_flight") == 1
    client.close()
    wait_for(lambda: nothing_runs(strict), WAIT, "the query goes on")
    assert post(strict.http_address, ALL).status == 200


def test_a_client_that_does_not_read_is_cut_off_at_the_deadline(strict: Any) -> None:
    client = stalled(strict, ALL, "/hasty")
    began = time.monotonic()
    wait_for(lambda: nothing_runs(strict), WAIT, "the query goes on")
    assert time.monotonic() - began < WAIT / 2
    with client, client.makefile("rb") as rest:
        assert not rest.read().endswith(b"\r\n0\r\n\r\n")  # what ends a whole answer


def test_a_request_that_waits_for_its_turn_ends_with_the_deadline(strict: Any) -> None:
    with stalled(strict, ALL):
        answer = post(strict.http_address, ALL, "/hasty")
    assert answer.status == 504
    assert answer.body.count(b"\n") == 1
    wait_for(lambda: nothing_runs(strict), WAIT, "the query goes on")


def test_limits_of_samples_and_series_are_told(strict: Any) -> None:
    answer = post(strict.http_address, encode_request([query(T0, END, (0, "__name__", "noise"))], [SAMPLES]))
    assert (answer.status, b"max_samples" in answer.body) == (422, True)
    both = [query(T0, END, (2, "n", "0.*")), query(T0, END, (2, "n", "0.*"))]
    assert post(strict.http_address, encode_request(both, [CHUNKS])).status == 200  # limits are for each query


def test_a_request_over_the_limit_is_refused(strict: Any) -> None:
    answer = post(strict.http_address, b"x" * 20_000)
    assert (answer.status, answer.headers["content-type"]) == (413, "text/plain; charset=utf-8")


@pytest.mark.parametrize("body", [b"", b"junk", b"\xff\xff\xff\xff\x0f\x00"])
def test_a_malformed_request_is_refused_and_harms_nobody(strict: Any, body: bytes) -> None:
    assert post(strict.http_address, body).status == 400
    assert strict.get("/-/ready")[0] == 200


def test_a_bad_pattern_is_the_clients_fault(strict: Any) -> None:
    answer = post(strict.http_address, encode_request([query(0, 1, (2, "a", "("))]))
    assert (answer.status, answer.body.count(b"\n")) == (400, 1)


def test_requests_are_counted_by_kind_and_status(strict: Any) -> None:
    text = strict.get("/metrics")[1].decode()
    assert 'storegate_remote_read_requests_total{code="200",type="chunks"}' in text
    assert 'storegate_remote_read_requests_total{code="400",type="none"}' in text
    assert "thanos_bucket_store_series_gate_queries_total" in text
