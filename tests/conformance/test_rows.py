"""Every recorded answer once more for each back end, which is a real server: one row of a matrix for each.

A row is an entry of ROWS and a fixture `row_NAME` that gives the flags of its gateways. `test_corpus.py` asks the real
command over gRPC, with a folder as its bucket; here the engine is asked, which takes a fraction of the time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from corpus.engine import running_engine
from corpus.recorded import Answer, recorded_answers, recorded_requests
from servers.azure import AzureServer
from servers.gcs import GcsServer
from servers.process import ServerProcess, wait_for
from servers.s3 import S3Server

from storegate.manager import PluginManager
from storegate.types import ObjectStore

CACHES = ("memcached", "redis")
ROWS = ("s3", "gcs", "azure", *CACHES)
HITS = {"thanos_store_index_cache_hits", "thanos_store_bucket_cache_operation_hits"}
REFUSED = "match-23-skip"
AT_ONCE = 4  # queries, so that gateway and server work at the same time

Flags = list[str]
Compare = Callable[[Answer, Answer], list[str]]


@pytest.mark.parametrize("row", ROWS)
def test_every_answer_equals_the_recorded_one(
    row: str, group: str, request: pytest.FixtureRequest, plugins: PluginManager, tmp_path: Path, compare: Compare
) -> None:
    (entry,) = (entry for entry in recorded_requests()["groups"] if entry["group"] == group)
    flags = [*request.getfixturevalue(f"row_{row}"), f"--data-dir={tmp_path}", *entry["flags"]]
    with running_engine(flags, plugins) as engine, ThreadPoolExecutor(AT_ONCE) as pool:
        got = dict(zip(entry["cases"], pool.map(engine.ask, entry["cases"]), strict=True))
    assert {case: found for case, answer in got.items() if (found := differences(group, case, answer, compare))} == {}


@pytest.mark.parametrize("row", ROWS)
def test_info_equals_the_recorded_one(
    row: str, request: pytest.FixtureRequest, plugins: PluginManager, tmp_path: Path, compare_info: Compare
) -> None:
    with running_engine([*request.getfixturevalue(f"row_{row}"), f"--data-dir={tmp_path}"], plugins) as engine:
        assert compare_info(recorded_answers()["default"]["info"], engine.info()) == []


@pytest.mark.parametrize("row", CACHES)
def test_a_cache_answers_in_both_places(
    row: str, request: pytest.FixtureRequest, plugins: PluginManager, tmp_path: Path
) -> None:
    with running_engine([*request.getfixturevalue(f"row_{row}"), f"--data-dir={tmp_path}"], plugins) as engine:

        def hits() -> set[str]:
            engine.ask("match-00")  # what it misses is stored in the background
            metrics = [metric for metric in engine.gateway.registry.collect() if metric.name in HITS]
            return {metric.name for metric in metrics if any(sample.value > 0 for sample in metric.samples)}

        wait_for(lambda: hits() == HITS, 10, "a cache has answered nothing")


def differences(group: str, case: str, got: Answer, compare: Compare) -> list[str]:
    """As in `test_corpus.py`: where bytes are limited, an answer is whole or refused."""
    if group != "bytes-limit":
        return compare(recorded_answers()[group][case], got)
    if got["code"] == "RESOURCE_EXHAUSTED":
        return []
    return ["not refused"] if case == REFUSED else compare(recorded_answers()["default"][case], got)


@pytest.fixture(scope="module")
def plugins() -> PluginManager:
    return PluginManager.load()


# --- the rows ---


@pytest.fixture(scope="module")
def row_s3(bucket: Path, s3_server: S3Server, open_s3: Any) -> Flags:
    config = s3_server.config(s3_server.new_bucket())
    upload(bucket, open_s3(**config))
    return [object_store("S3", config)]


@pytest.fixture(scope="module")
def row_gcs(bucket: Path, gcs_server: GcsServer, open_gcs: Any) -> Flags:
    config = {"bucket": gcs_server.new_bucket(), "endpoint": gcs_server.url}
    upload(bucket, open_gcs(**config))
    return [object_store("GCS", config)]


@pytest.fixture(scope="module")
def row_azure(bucket: Path, azure_server: AzureServer, open_azure: Any) -> Flags:
    config = azure_server.config()
    upload(bucket, open_azure(**config))
    return [object_store("AZURE", config)]


@pytest.fixture(scope="module")
def row_memcached(bucket: Path, memcached: ServerProcess) -> Flags:
    return [folder(bucket), *both_caches("MEMCACHED", {"addresses": [memcached.address]})]


@pytest.fixture(scope="module")
def row_redis(bucket: Path, redis_server: ServerProcess) -> Flags:
    return [folder(bucket), *both_caches("REDIS", {"addr": redis_server.address})]


def object_store(type: str, config: dict[str, Any]) -> str:
    return f"--objstore.config={json.dumps({'type': type, 'config': config})}"


def folder(bucket: Path) -> str:
    return object_store("FILESYSTEM", {"directory": str(bucket)})


def both_caches(type: str, config: dict[str, Any]) -> Flags:
    cache = json.dumps({"type": type, "config": config})
    return [f"--index-cache.config={cache}", f"--store.caching-bucket.config={cache}"]


def upload(bucket: Path, store: ObjectStore) -> None:
    """Put all files of a folder."""
    files = [path for path in bucket.rglob("*") if path.is_file()]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: store.put(str(path.relative_to(bucket)), path.read_bytes()), files))
