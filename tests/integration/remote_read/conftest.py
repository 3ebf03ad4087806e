"""One bucket, the gateway that serves it, and Prometheus servers with and without the same blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from remote_read.blocks import END, T0, write_bucket, write_prometheus
from remote_read.client import CHUNKS, SAMPLES, encode_request, post, query, read_chunked, read_samples
from servers.prometheus import Prometheus

from storegate.testing import write_block, write_block_raw

REMOTE_READ = """\
remote_read:
  - url: http://{address}/api/v1/read
    read_recent: true
"""
WITH_REMOTE_READ = """\
frontends:
  - type: grpc
  - type: http
  - type: remote-read
    config:
      replica_labels: [replica]
"""


EVERYTHING = query(T0, END, (2, "__name__", ".+"))


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bucket")
    write_bucket(folder)
    return folder


@pytest.fixture(scope="session")
def gateway(start_store: Any, bucket: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real `storegate store` over the bucket."""
    config = tmp_path_factory.mktemp("config") / "storegate.yml"
    config.write_text(WITH_REMOTE_READ)
    with start_store(bucket, [f"--config={config}"]) as store:
        yield store


@pytest.fixture(scope="session")
def local(start_prometheus: Callable[..., Prometheus], tmp_path_factory: pytest.TempPathFactory) -> Prometheus:
    """A Prometheus that has the blocks itself."""
    folder = tmp_path_factory.mktemp("local")
    write_prometheus(folder / "data")
    return start_prometheus("global: {}\n", folder)


@pytest.fixture(scope="session")
def remote(start_prometheus: Callable[..., Prometheus], gateway: Any) -> Prometheus:
    """An empty Prometheus that asks the gateway."""
    return start_prometheus(REMOTE_READ.format(address=gateway.http_address))


@pytest.fixture(scope="session")
def streamed(
    start_prometheus: Callable[..., Prometheus], gateway: Any, tmp_path_factory: pytest.TempPathFactory
) -> Prometheus:
    """A Prometheus whose only block holds the chunks that the gateway streams, as they come."""
    answer = post(gateway.http_address, encode_request([EVERYTHING], [CHUNKS]))
    folder = tmp_path_factory.mktemp("streamed")
    write_block_raw(folder / "data", [(series.labels, series.chunks) for series in read_chunked(answer.body)])
    return start_prometheus("global: {}\n", folder)


@pytest.fixture(scope="session")
def sampled(
    start_prometheus: Callable[..., Prometheus], gateway: Any, tmp_path_factory: pytest.TempPathFactory
) -> Prometheus:
    """A Prometheus whose only block holds the samples that the gateway answers."""
    answer = post(gateway.http_address, encode_request([EVERYTHING], [SAMPLES]))
    folder = tmp_path_factory.mktemp("sampled")
    write_block(folder / "data", read_samples(answer.body)[0])
    return start_prometheus("global: {}\n", folder)
