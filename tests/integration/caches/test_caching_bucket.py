"""The caching bucket of the real command, shown by its own counters."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from servers.process import ServerProcess

from storegate.config.settings import Settings
from storegate.gateway import Gateway
from storegate.manager import PluginManager
from storegate.query.call import Call
from storegate.query.request import LabelMatcher, MatchType, SeriesRequest
from storegate.testing import write_block
from storegate.testing.faults import CountingStore, SlowStore
from storegate.testing.memory_store import MemoryStore
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

BASE = 1_700_000_000_000  # ms
HOUR = 3_600_000
REQUEST = rpc_pb2.SeriesRequest(min_time=BASE, max_time=BASE + 10 * HOUR, matchers=[{"name": "job", "value": "a"}])
IN_MEMORY = "--store.caching-bucket.config={type: IN-MEMORY}"
OBJSTORE = "thanos_objstore_bucket_operations_total"
StartStore = Callable[..., Any]


def fill(bucket: Path | MemoryStore, value: float = 1.0, blocks: int = 3) -> None:
    for n in range(blocks):
        start = BASE + n * HOUR
        series = [({"job": job, "n": f"{i:02}"}, [(start + 60_000 * t, value * t) for t in range(50)])
                  for job in "ab" for i in range(20)]  # fmt: skip
        write_block(bucket, series, external_labels={"region": "eu"}, seed=n)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bucket")
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def plain(start_store: StartStore, bucket: Path) -> Iterator[Any]:
    """The command without a caching bucket."""
    with start_store(bucket) as store:
        yield store


@pytest.fixture(scope="module")
def cached(start_store: StartStore, bucket: Path) -> Iterator[Any]:
    """The command with one."""
    with start_store(bucket, [IN_MEMORY]) as store:
        yield store


def series(store: Any) -> list[bytes]:
    """The answer, in its own order."""
    with grpc.insecure_channel(store.grpc_address) as channel:
        frames = rpc_pb2_grpc.StoreStub(channel).Series(REQUEST, timeout=30)
        return [frame.series.SerializeToString() for frame in frames if frame.HasField("series")]


def requests(store: Any, operation: str = r"\w+") -> float:
    """Requests to the object store so far."""
    text = store.get("/metrics")[1].decode()
    return sum(map(float, re.findall(rf'^{OBJSTORE}{{[^}}]*operation="{operation}"}} (\S+)$', text, re.MULTILINE)))


def test_a_query_that_is_repeated_makes_no_request(cached: Any) -> None:
    first = series(cached)
    before = requests(cached)
    assert series(cached) == first
    assert requests(cached) == before
    assert len(first) == 20


def test_without_the_caching_bucket_it_makes_requests(plain: Any) -> None:
    first = series(plain)
    before = requests(plain)
    assert series(plain) == first
    assert requests(plain) > before


def test_answers_are_those_without_a_cache(plain: Any, cached: Any) -> None:
    assert series(plain) == series(cached) == series(cached)


def test_answers_do_not_depend_on_how_blocks_are_found(start_store: StartStore, bucket: Path, plain: Any) -> None:
    with start_store(bucket, ["--block-discovery-strategy=concurrent", IN_MEMORY]) as store:
        assert series(plain) == series(store) == series(store)


def test_its_metrics_are_those_that_dashboards_ask_for(cached: Any) -> None:
    series(cached)
    text = cached.get("/metrics")[1].decode()
    for sample in (
        'thanos_store_bucket_cache_operation_requests_total{config="chunks",operation="get_range"}',
        'thanos_store_bucket_cache_operation_hits_total{config="meta.jsons",operation="get"}',
        'thanos_store_bucket_cache_operation_requests_total{config="blocks-iter",operation="iter"}',
        'thanos_store_bucket_cache_getrange_fetched_bytes_total{config="chunks",origin="bucket"}',
        'thanos_cache_inmemory_items{name="caching-bucket"}',
    ):
        assert f"\n{sample} " in text


def test_settings_of_a_file_are_applied(start_store: StartStore, bucket: Path, tmp_path: Path) -> None:
    config = tmp_path / "caching.yml"
    config.write_text("{type: in-memory, chunk_subrange_size: 100, max_chunks_get_range_requests: 0}")
    with start_store(bucket, [f"--store.caching-bucket.config-file={config}"]) as store:
        first = series(store)
        before = requests(store)
        assert series(store) == first
        assert requests(store) == before


def refusal(storegate_command: list[str], bucket: Path, tmp_path: Path, config: str) -> list[str]:
    """Error lines of a start that is refused."""
    done = subprocess.run(
        [*storegate_command, "store", f"--objstore.config={{type: FILESYSTEM, config: {{directory: {bucket}}}}}",
         f"--data-dir={tmp_path / 'data'}", f"--store.caching-bucket.config={config}"],
        capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    return [line for line in done.stderr.splitlines() if "level=error" in line]


def test_groupcache_is_refused_with_what_to_take_instead(
    storegate_command: list[str], bucket: Path, tmp_path: Path
) -> None:
    (line,) = refusal(storegate_command, bucket, tmp_path, "{type: GROUPCACHE, config: {self_url: 'http://x'}}")
    assert "--store.caching-bucket.config: type: the cache GROUPCACHE is not supported: take MEMCACHED or REDIS" in line


def test_an_unknown_key_is_refused_with_its_name(storegate_command: list[str], bucket: Path, tmp_path: Path) -> None:
    (line,) = refusal(storegate_command, bucket, tmp_path, "{type: IN-MEMORY, chunk_subrange_sise: 5}")
    assert "chunk_subrange_sise: unknown key, did you mean 'chunk_subrange_size'?" in line


# --- gateways in this process ---


@contextmanager
def gateway(store: Any = None, **settings: Any) -> Iterator[Gateway]:
    """A gateway without front ends, over a store of the test's own if one is given."""
    plugins: Any = PluginManager.load(allow=["storegate"])
    if store is not None:
        settings["object_store"] = {"type": "TEST"}
        plugins = OwnStore(plugins, store)
    given = {"cache_index_header": False, "frontends": [], "limits": {"concurrency": 0}}
    made = Gateway(Settings.model_validate(given | settings), plugins)
    made.start()
    yield made
    made.stop(0.0)


class OwnStore:
    """The real plugins, but for the object store."""

    def __init__(self, real: PluginManager, store: Any) -> None:
        self._real = real
        self._store = store

    def get(self, kind: str, name: str, **where: str) -> Any:
        own = SimpleNamespace(provider=SimpleNamespace(name=name))
        return own if kind == "object_store" else self._real.get(kind, name, **where)

    def create(self, kind: str, ref: Any, context: Any = None, *, where: str = "") -> Any:
        return self._store if kind == "object_store" else self._real.create(kind, ref, context, where=where)


def ask(made: Gateway) -> bytes:
    matchers = (LabelMatcher(MatchType.EQ, "job", "a"),)
    stream = made.series(SeriesRequest(min_time=BASE, max_time=BASE + 10 * HOUR, matchers=matchers), Call())
    try:
        return b"".join(frame for frames in stream for frame in frames)
    finally:
        stream.close()


def through(memcached: ServerProcess) -> dict[str, Any]:
    """Both caches on one server."""
    server = {"type": "MEMCACHED", "config": {"addresses": [memcached.address], "timeout": "10s"}}
    return {"caching_bucket": server, "index_cache": server}


def written(*gateways: Gateway) -> None:
    """Wait until the caches have stored what they were given."""
    for made in gateways:
        for cache in (made._cache.cache, made._store._cache):  # type: ignore[attr-defined]
            assert cache.flush(20)


def test_a_second_gateway_over_the_same_bucket_uses_what_the_first_fetched(memcached: ServerProcess) -> None:
    inner = MemoryStore(name=f"shared-{time.time_ns()}")
    fill(inner)
    with gateway(inner, **through(memcached)) as first:
        answer = ask(first)
        written(first)
    store = CountingStore(inner)
    with gateway(store, **through(memcached)) as second:
        store.reset()
        assert ask(second) == answer
        assert store.count() == 0


def test_gateways_over_different_buckets_can_share_a_server(tmp_path: Path, memcached: ServerProcess) -> None:
    stores = [{"type": "FILESYSTEM", "config": {"directory": str(tmp_path / name)}} for name in ("one", "two")]
    answers = []
    for value, store in enumerate(stores):
        folder = Path(store["config"]["directory"])  # type: ignore[index]
        folder.mkdir()
        fill(folder, value=value + 1.0)  # the same ULIDs, labels and sizes
        with gateway(object_store=store) as made:
            answers.append(ask(made))
    assert answers[0] != answers[1]
    with (
        gateway(object_store=stores[0], **through(memcached)) as first,
        gateway(object_store=stores[1], **through(memcached)) as second,
    ):
        for _ in range(2):
            assert [ask(first), ask(second)] == answers
            written(first, second)


def test_prefixes_of_one_bucket_can_share_a_server(tmp_path: Path, memcached: ServerProcess) -> None:
    config = {"directory": str(tmp_path)}
    stores = [{"type": "FILESYSTEM", "config": config, "prefix": prefix} for prefix in ("one", "two")]
    for value, prefix in enumerate(("one", "two")):
        (tmp_path / prefix).mkdir()
        fill(tmp_path / prefix, value=value + 1.0)
    with (
        gateway(object_store=stores[0], **through(memcached)) as first,
        gateway(object_store=stores[1], **through(memcached)) as second,
    ):
        one = ask(first)
        written(first)
        assert ask(second) != one


def test_a_hundred_equal_queries_fetch_everything_once() -> None:
    inner = MemoryStore()
    fill(inner)
    store = CountingStore(SlowStore(inner, latency=0.05))
    with gateway(store, caching_bucket={"type": "IN-MEMORY"}) as made, ThreadPoolExecutor(100) as pool:
        store.reset()
        answers = [one.result(60) for one in [pool.submit(ask, made) for _ in range(100)]]
        ranges = store.requests("get_range")
    assert len(set(answers)) == 1
    assert len(answers[0]) > 1000
    assert len(ranges) == len(set(ranges)) == 2 * 3  # the index and the chunks of three blocks
