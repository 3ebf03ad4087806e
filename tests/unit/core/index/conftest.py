"""Small indexes in a bucket in memory, their headers, and the way to them that a query has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from storegate.cache.index_cache import IndexCache, IndexCacheMetrics
from storegate.index.access import Access
from storegate.index.expand import Expanded, digest_of, expand_postings
from storegate.index.header import IndexHeader, build_index_header
from storegate.index.matchers import Matcher
from storegate.kernels import coalesce
from storegate.metrics import Metrics
from storegate.query.call import Call
from storegate.query.request import LabelMatcher, MatchType
from storegate.query.stats import QueryStats
from storegate.reads import Reader
from storegate.steps import Fetcher
from storegate.testing.faults import CountingStore
from storegate.testing.index_writer import BuiltIndex, ChunkEntry, IndexSeries, build_index
from storegate.testing.memory_store import MemoryStore

ULID = "01M3250V000000000000000001"
KEY = f"{ULID}/index"
TYPES = {"=": MatchType.EQ, "!=": MatchType.NEQ, "=~": MatchType.RE, "!~": MatchType.NRE}

METRICS = Metrics(CollectorRegistry())
CACHE_METRICS = IndexCacheMetrics(METRICS.registry)

Labels = Mapping[str, str]


def matcher(text: str) -> Matcher:
    """`name=~value` as a matcher; no quotes."""
    found = re.fullmatch(r"(.*?)(=~|!~|!=|=)(.*)", text, re.DOTALL)
    assert found is not None
    return Matcher(LabelMatcher(TYPES[found[2]], found[1], found[3]))


@pytest.fixture(name="matcher")
def _matcher() -> Callable[[str], Matcher]:
    return matcher


class DictCache:
    """A Cache without limits, open to tests."""

    local = True

    def __init__(self) -> None:
        self.items: dict[str, bytes] = {}

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        return {key: self.items[key] for key in keys if key in self.items}

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        self.items.update(items)

    def close(self) -> None:
        self.items.clear()


class Gap:
    """The partitioner `gap`."""

    def __init__(self, gap: int = 512 << 10) -> None:
        self.gap = gap

    def partition(self, starts: Any, ends: Any) -> Any:
        return coalesce(starts, ends, self.gap)


class AtOnce(Executor):
    """Runs what is submitted before it returns."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        function(*arguments, **named)
        return Future()


@dataclass
class Index:
    """An index in a bucket, and a cache that outlives its requests."""

    built: BuiltIndex
    header: IndexHeader
    store: CountingStore
    inner: MemoryStore
    cache: DictCache = field(default_factory=DictCache)
    enabled: tuple[str, ...] = ()
    gap: int = 512 << 10
    charges: list[tuple[int, str]] = field(default_factory=list)

    def access(self, metrics: Metrics | None = None, **options: Any) -> Access:
        return Access(
            cache=IndexCache(self.cache, self.enabled, 3600.0, CACHE_METRICS),
            partitioner=Gap(self.gap),
            stats=QueryStats(),
            metrics=metrics or METRICS,
            tenant="default-tenant",
            charge=lambda size, what: self.charges.append((size, what)),
            **options,
        )

    def drive(self, work: Any, access: Access, executor: Any = None) -> Any:
        """Run one block's work to its end."""
        return Fetcher(Reader(self.store, executor or AtOnce()), access.cache.cache, Call()).drive([(ULID, work)])[0]

    def expand(self, *wanted: str | Matcher, access: Access | None = None, executor: Any = None) -> Expanded:
        """The postings that matchers select."""
        matchers = tuple(matcher(one) if isinstance(one, str) else one for one in wanted)
        access = access or self.access()
        work = expand_postings(ULID, KEY, self.header, matchers, digest_of(matchers), access, series_size=65_536)
        return self.drive(work, access, executor)

    def numbers(self, *wanted: str | Matcher, **options: Any) -> list[int]:
        """Which series, by their place in the index, the matchers select."""
        refs = self.expand(*wanted, **options).refs
        return [self.built.offsets.index(ref * self.header.scale) for ref in refs.tolist()]

    def refs(self, *numbers: int) -> Any:
        """Series refs by place in the index."""
        return np.array([self.built.offsets[number] // self.header.scale for number in numbers], np.uint32)


@pytest.fixture(scope="session")
def make_index() -> Callable[..., Index]:
    """`make_index([{name: value}, ...], version=2, ...)`, series in label order, each with `chunks` chunks."""

    def make(
        series: Iterable[Labels], *, version: int = 2, label_indices: bool = False, sampling: int = 32, chunks: int = 1
    ) -> Index:
        encoded = sorted(tuple(sorted((n.encode(), v.encode()) for n, v in labels.items())) for labels in series)
        metas = [ChunkEntry(10 * k, 10 * k + 9, 8 + 40 * k) for k in range(chunks)]
        built = build_index(
            [IndexSeries(labels, metas) for labels in encoded], version=version, label_indices=label_indices
        )
        inner = MemoryStore({KEY: built.data})
        data = build_index_header(inner, KEY, len(built.data), None)
        assert data is not None
        header = IndexHeader.from_bytes(data, name=KEY, sampling=sampling)
        return Index(built, header, CountingStore(inner), inner)

    return make
