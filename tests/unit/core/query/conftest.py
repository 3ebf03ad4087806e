"""The engine over a bucket in memory: blocks that a test writes, and answers as it reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from storegate.block.block import Block
from storegate.block.catalog import BlockCatalog
from storegate.block.loader import BlockLoader
from storegate.block.meta import parse_meta
from storegate.block.observers import Observers
from storegate.cache.index_cache import IndexCache, IndexCacheMetrics
from storegate.config.settings import Settings
from storegate.index.matchers import MatcherCompiler
from storegate.kernels import coalesce
from storegate.metrics import Metrics
from storegate.query.call import Call
from storegate.query.chunk_pool import ChunkPool
from storegate.query.context import Shared
from storegate.query.gate import Gate
from storegate.query.headers import HeaderLoads
from storegate.query.labels import label_names, label_values
from storegate.query.request import (
    LabelMatcher,
    LabelNamesRequest,
    LabelsAnswer,
    LabelValuesRequest,
    MatchType,
    SeriesRequest,
)
from storegate.query.series import SeriesStream
from storegate.query.stats import QueryStats
from storegate.reads import Reader
from storegate.testing import make_ulid, write_block
from storegate.testing.faults import CountingStore
from storegate.testing.memory_store import MemoryStore
from storegate_proto.store.storepb.rpc_pb2 import SeriesResponse

TYPES = {"=": MatchType.EQ, "!=": MatchType.NEQ, "=~": MatchType.RE, "!~": MatchType.NRE}
FOREVER = {"min_time": -(10**15), "max_time": 10**15}

Pairs = tuple[tuple[str, str], ...]


def matcher(text: str) -> LabelMatcher:
    """`name=~value` as a matcher; no quotes."""
    at = min(i for i in map(text.find, "=!") if i >= 0)
    sign = text[at : at + 2] if text[at : at + 2] in TYPES else "="
    return LabelMatcher(TYPES[sign], text[:at], text[at + len(sign) :])


def matchers(texts: Sequence[str]) -> tuple[LabelMatcher, ...]:
    return tuple(matcher(text) for text in texts)


class Gap:
    """The partitioner `gap`."""

    def partition(self, starts: Any, ends: Any) -> Any:
        return coalesce(starts, ends, 512 << 10)


class DictCache:
    """A Cache without limits, open to tests."""

    local = True

    def __init__(self) -> None:
        self.items: dict[str, bytes] = {}

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self.items[key] for key in keys if key in self.items}

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        self.items.update(items)

    def close(self) -> None:
        self.items.clear()


class Finished:
    """An observer that keeps what queries cost."""

    def __init__(self) -> None:
        self.stats: list[QueryStats] = []

    def query_finished(self, stats: QueryStats) -> None:
        self.stats.append(stats)


@dataclass
class Engine:
    """Queries over blocks in memory. `bucket` holds the objects, `store` counts the requests of the queries."""

    pool: ThreadPoolExecutor
    settings: dict[str, Any] = field(default_factory=dict)
    wrap: Callable[[Any], Any] = lambda store: store

    def __post_init__(self) -> None:
        self.bucket = MemoryStore()
        self.faulty = self.wrap(self.bucket)
        self.store = CountingStore(self.faulty)
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.catalog = BlockCatalog()
        self.cache = DictCache()
        self.finished = Finished()
        given = {"object_store": {"type": "INMEMORY"}, "meta_filters": []}
        settings = Settings.model_validate(given | self.settings)
        self.gate = Gate(settings.limits.concurrency, self.metrics)
        self.reader = Reader(self.store, self.pool)
        observer: Any = self.finished
        self.shared = Shared(
            settings=settings,
            catalog=self.catalog,
            cache=IndexCache(self.cache, (), 3600.0, IndexCacheMetrics(self.registry)),
            reader=self.reader,
            pool=self.pool,
            partitioner=Gap(),
            metrics=self.metrics,
            observers=Observers([("finished", observer)], self.registry),
            compiler=MatcherCompiler(256),
            chunk_pool=ChunkPool(settings.query.chunk_pool),
            header_loads=HeaderLoads(self.pool),
        )

    def add(self, series: Any, external: Mapping[str, str] | None = None, **options: Any) -> Block:
        """Write a block and serve it. Its index-header is read past the wrapper and not counted."""
        options.setdefault("ulid", make_ulid(1_790_000_000_000 + len(self.catalog), seed=len(self.catalog)))
        written = write_block(self.bucket, series, external_labels=external or {}, **options)
        block = self.open(written.ulid)
        self.catalog.add(block)
        return block

    def open(self, ulid: str) -> Block:
        settings = SimpleNamespace(lazy=False, lazy_download=False, sampling=32)
        block = BlockLoader(self.bucket, None, settings, self.metrics).open(
            parse_meta(self.bucket.get(f"{ulid}/meta.json"), ulid)
        )
        return block

    def stream(self, *texts: str, call: Call | None = None, **options: Any) -> SeriesStream:
        request = SeriesRequest(**{**FOREVER, "matchers": matchers(texts), **options})
        return SeriesStream(self.shared, self.gate, request, call or Call())

    def frames(self, *texts: str, **options: Any) -> list[SeriesResponse]:
        stream = self.stream(*texts, **options)
        try:
            return [SeriesResponse.FromString(frame) for frames in stream for frame in frames]
        finally:
            stream.close()

    def series(self, *texts: str, **options: Any) -> list[Any]:
        """Series messages, out of whatever frames they came in."""
        return [one for frame in self.frames(*texts, **options) for one in (frame.batch.series or [frame.series])]

    def labels(self, *texts: str, **options: Any) -> list[Pairs]:
        """Label sets of the answer."""
        return [pairs(one) for one in self.series(*texts, **options)]

    def names(self, *texts: str, call: Call | None = None, **options: Any) -> LabelsAnswer:
        request = LabelNamesRequest(**{"start": -(10**15), "end": 10**15, "matchers": matchers(texts), **options})
        return label_names(self.shared, request, call or Call())

    def values(self, label: str, *texts: str, call: Call | None = None, **options: Any) -> LabelsAnswer:
        given = {"label": label, "start": -(10**15), "end": 10**15, "matchers": matchers(texts), **options}
        return label_values(self.shared, LabelValuesRequest(**given), call or Call())

    def sample(self, name: str, **labels: str) -> float | None:
        """The value of a metric."""
        return self.registry.get_sample_value(name, labels)

    def be_quick(self) -> None:
        """Let the engine believe that store and cache answer at once."""
        self.reader._seconds = self.reader._lookup_seconds = 0.0


def pairs(series: Any) -> Pairs:
    return tuple((label.name, label.value) for label in series.labels)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


@pytest.fixture
def make_engine(pool: ThreadPoolExecutor) -> Callable[..., Engine]:
    """`make_engine(settings={...}, wrap=...)`; `wrap` puts a faulty store between queries and bucket."""
    return lambda **options: Engine(pool, **options)


@pytest.fixture
def engine(make_engine: Callable[..., Engine]) -> Engine:
    return make_engine()


@pytest.fixture
def compiled() -> Callable[..., Any]:
    """Compiled matchers of texts such as `a!=b`."""
    return lambda *texts: MatcherCompiler(16).compile(matchers(texts))


@pytest.fixture
def up() -> Callable[..., Any]:
    """`up(18)`: series up{n="000"} to up{n="017"} with a sample per minute, `samples` of them."""

    def make(count: int, samples: int = 1, start: int = 0) -> Any:
        return [
            ({"__name__": "up", "n": f"{n:03}"}, [(start + 60_000 * t, float(n + t)) for t in range(samples)])
            for n in range(count)
        ]

    return make
