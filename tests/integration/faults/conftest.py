"""The real command over a bucket of S3, through a proxy that harms connections."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from storegate.testing import write_block
from storegate.testing.flaky_proxy import FlakyProxy
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

BASE = 1_700_000_000_000  # ms
SERIES = 300
WAIT = 30.0
REQUEST = rpc_pb2.SeriesRequest(
    min_time=BASE, max_time=BASE + 10**8, matchers=[{"name": "__name__", "value": "up"}], response_batch_size=64
)
TIMEOUT = 1.0
"""Seconds without a byte after which the gateway of these tests gives a request up."""
SMALL_CACHE = '--index-cache.config={type: IN-MEMORY, config: {max_size: "1KB", max_item_size: "1KB"}}'
"""Nothing of an index fits: each query reads the bucket."""


class Faulty:
    """A running gateway, and the proxy between it and its bucket, if there is one."""

    def __init__(self, store: Any, proxy: FlakyProxy | None) -> None:
        self.store = store
        self.proxy = proxy
        self._channel = grpc.insecure_channel(store.grpc_address)
        self._stub = rpc_pb2_grpc.StoreStub(self._channel)

    def series(self, timeout: float = WAIT) -> list[tuple[tuple[tuple[str, str], ...], list[bytes]]]:
        """Labels and chunks of all series."""
        frames = self._stub.Series(REQUEST, timeout=timeout)
        return [
            (tuple((label.name, label.value) for label in s.labels), [chunk.raw.data for chunk in s.chunks])
            for frame in frames
            for s in frame.batch.series
        ]

    def failure(self, timeout: float = WAIT) -> tuple[grpc.StatusCode, str, float]:
        """Code and text with which a query fails, and the seconds that it took."""
        started = time.monotonic()
        with pytest.raises(grpc.RpcError) as caught:
            self.series(timeout)
        error: Any = caught.value
        return error.code(), error.details(), time.monotonic() - started

    def metric(self, name: str, /, **labels: str) -> float:
        """The sum of the samples of a metric that have these labels."""
        total = 0.0
        for line in self.store.get("/metrics")[1].decode().splitlines():
            if line.partition("{")[0].partition(" ")[0] == name and all(
                f'{k}="{v}"' in line for k, v in labels.items()
            ):
                total += float(line.split()[-1])
        return total

    def close(self) -> None:
        self._channel.close()


@pytest.fixture(scope="session")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two blocks."""
    folder = tmp_path_factory.mktemp("blocks")
    for number in range(2):
        start = BASE + number * 3_600_000
        series = [
            ({"__name__": "up", "n": f"{n:05}"}, [(start + 15_000 * t, float(n * t)) for t in range(100)])
            for n in range(SERIES)
        ]
        write_block(folder, series, external_labels={"region": "eu"}, seed=number)
    return folder


@pytest.fixture(scope="session")
def s3_bucket(s3_server: Any, blocks: Path) -> str:
    """The blocks in a bucket of S3."""
    name: str = s3_server.new_bucket()
    for path in sorted(path for path in blocks.rglob("*") if path.is_file()):
        s3_server.client.put_object(Bucket=name, Key=str(path.relative_to(blocks)), Body=path.read_bytes())
    return name


@pytest.fixture(scope="session")
def start_faulty(start_store: Any, s3_server: Any, s3_bucket: str) -> Callable[..., Any]:
    """A context manager: a gateway over the bucket by way of a proxy. `config` are settings of S3."""

    @contextmanager
    def start(
        *, proxy: FlakyProxy | None = None, config: dict[str, Any] | None = None, ready: bool = True, **reference: Any
    ) -> Iterator[Faulty]:
        with ExitStack() as stack:
            through = proxy or stack.enter_context(FlakyProxy(s3_server.address))
            http_config = {"response_header_timeout": f"{TIMEOUT}s"}
            settings = s3_server.config(s3_bucket, region="us-east-1", http_config=http_config) | (config or {})
            document = json.dumps({"type": "S3", "config": settings | {"endpoint": through.address}, **reference})
            faulty = Faulty(stack.enter_context(start_store(document, [SMALL_CACHE], ready=ready)), through)
            stack.callback(faulty.close)
            yield faulty

    return start


@pytest.fixture(scope="session")
def start_cached(start_store: Any, blocks: Path) -> Callable[..., Any]:
    """A context manager: a gateway over a folder, with this index cache and the same caching bucket."""

    @contextmanager
    def start(cache: dict[str, Any]) -> Iterator[Faulty]:
        flags = [f"--index-cache.config={json.dumps(cache)}", f"--store.caching-bucket.config={json.dumps(cache)}"]
        with start_store(blocks, flags) as store:
            gateway = Faulty(store, None)
            try:
                yield gateway
            finally:
                gateway.close()

    return start


@pytest.fixture(scope="module")
def shared_gateway(start_faulty: Callable[..., Any]) -> Iterator[Faulty]:
    with start_faulty() as faulty:
        yield faulty


@pytest.fixture(scope="module")
def expected(shared_gateway: Faulty) -> Any:
    """The answer while nothing is wrong."""
    answer = shared_gateway.series()
    assert len(answer) == SERIES
    return answer


@pytest.fixture
def gateway(shared_gateway: Faulty, expected: Any) -> Iterator[Faulty]:
    """One gateway for many tests; its connections are whole again after each."""
    yield shared_gateway
    shared_gateway.proxy.clear()
    shared_gateway.proxy.release()
    shared_gateway.proxy.resume()
