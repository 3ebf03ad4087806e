"""The records and protocols that plugins deal in.

Records are frozen and keyword-only. Times are milliseconds since the Unix epoch unless a name says otherwise.
Everything that a factory returns is shared by all threads of the process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from prometheus_client import CollectorRegistry
    from pydantic import BaseModel

    from storegate.gateway import Gateway
    from storegate.query.stats import QueryStats

API_VERSION = "1.0"
"""Version of the plugin API; a provider names the one it was written for."""


# --- records about objects and blocks -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One entry of a listing. A folder (of a non-recursive listing) has a key that ends with `/` and no size."""

    key: str
    size: int | None = None  # bytes
    modified: int | None = None  # ms


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """A part of a listing in key order; `token` asks for the next part, None when there is none."""

    entries: Sequence[ObjectInfo]
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockMeta:
    """What `<ULID>/meta.json` says about a block (spec/formats.md 2)."""

    ulid: str
    min_time: int  # inclusive
    max_time: int  # exclusive
    resolution: int = 0  # ms: 0, 300000 or 3600000
    labels: Mapping[str, str] = field(default_factory=dict)  # external labels
    level: int = 1
    sources: tuple[str, ...] = ()
    source: str = ""  # which component uploaded it: sidecar, receive, compactor, ...
    upload_time: int | None = None
    segment_files: tuple[str, ...] = ()
    files: Mapping[str, int] = field(default_factory=dict)  # path below the block's folder -> bytes, where known
    series_max_size: int = 0  # bytes; an estimate, 0 when unknown
    chunk_max_size: int = 0
    num_series: int = 0
    num_samples: int = 0
    num_chunks: int = 0
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)  # the whole meta.json


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionMark:
    """What `<ULID>/deletion-mark.json` says (spec/formats.md 3)."""

    ulid: str
    deletion_time: int  # ms (the file holds seconds)
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterContext:
    """What a meta filter may know besides the metas: the time of this sync, and the deletion marks by ULID."""

    now: int
    marks: Mapping[str, DeletionMark] = field(default_factory=dict)


# --- what factories return ------------------------------------------------------------------------------------------


class ObjectStore(Protocol):
    """A bucket. Keys use `/`, have no leading slash, and any Unicode text. Errors are those of `storegate.errors`.

    Thread-safe. Every method may block; none may block for ever (use the back end's timeouts).

    Retries are the core's: a store makes one attempt and turns the retries of its SDK off. What it raises decides:
    UnavailableError (no connection, a timeout, a connection that ended early, 5xx) and ThrottledError (429, 503 and
    their like, with `retry_after` in seconds where the answer says so) are tried again; NotFoundError, DeniedError and
    the rest are not. A `list` that raises one of these two while it is read is begun again, and keys up to the last
    one given out are left out (`SupportsListPage` saves that). An optional attribute `max_retries` (int) says how
    often: 0 is the default, 1 is no retry, n is n attempts in all. `put` and `delete` must bear a repetition.

    An optional attribute `identity` (str, no secrets) tells the bucket from all others of this type, the same in every
    gateway, where `name` is not enough: the endpoint with the bucket, say. Caches that gateways share go by it.

        store.put("a/b", b"12345")
        store.get_range("a/b", 1, 2)    # b"23"
        [info.key for info in store.list("a/")]    # ["a/b"]
    """

    name: str
    """How metrics and messages call this bucket."""
    writable: bool
    """Whether `put` and `delete` can work."""

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """Entries whose key starts with `prefix` (empty or ending in `/`), in key order.

        Recursive: all objects below, with size and modification time. Otherwise: objects and folders directly below.
        A prefix under which nothing lies yields nothing.
        """

    def head(self, key: str) -> ObjectInfo:
        """Size and modification time. Raises NotFoundError."""

    def get(self, key: str) -> bytes:
        """The whole object. Raises NotFoundError."""

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` (both in bytes); fewer only where the object ends. Raises NotFoundError.

        An `offset` at or after the end gives no bytes, and so does a `length` of 0. A connection that ends before the
        promised bytes came is an UnavailableError, never a short answer.
        """

    def put(self, key: str, data: bytes) -> None:
        """Create or replace an object, whole or not at all."""

    def delete(self, key: str) -> None:
        """Remove an object. Raises NotFoundError."""

    def close(self) -> None:
        """Give connections back. No call may follow."""


@runtime_checkable
class SupportsReadInto(Protocol):
    """An object store that can fill a caller's buffer saves one copy of the bytes."""

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset`; the number of bytes read, smaller than the buffer only where the object ends.

        As `get_range` otherwise. After an error the content of `buffer` is undefined.
        """


@runtime_checkable
class SupportsListPage(Protocol):
    """An object store that lists in pages, one request each, can be asked again for the page that failed."""

    def list_page(self, prefix: str, token: str | None, *, recursive: bool) -> ListPage:
        """One page of `list`: the first for None, then that of the token in the page before."""


class Cache(Protocol):
    """Bytes by key. Thread-safe. A cache may forget and refuse anything; storegate never takes it at its word.

    Unless the attribute `local` is true, storegate calls it from threads of its own, with a deadline, steps over it
    while it fails, and seals values so that a wrong one is noticed. So a method may block and may raise what it likes
    (best UnavailableError, DeadlineError, DeniedError): that is a miss, or a value that is not stored, logged and
    counted by storegate. It must not retry for long: use the timeouts of the back end.

    Optional attributes: `local` (see `LocalCache`), `limits` (a `CacheLimits`), and the method `servers`
    (`SupportsServers`).

        cache.set_many({"a": b"1", "b": b"2"}, 60.0)
        cache.get_many(["a", "c"])    # {"a": b"1"}
    """

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values that are there; absent keys are left out. Keys are any text without a surrogate."""

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        """Store values for at most `ttl` seconds, which is more than 0. May drop them."""

    def close(self) -> None:
        """Give connections back. No call may follow."""


@runtime_checkable
class LocalCache(Cache, Protocol):
    """A cache in the memory of this process. While `local` is true it is called directly, on the path of a query: it
    must answer within microseconds and not raise.
    """

    local: bool


class CacheServer(Cache, Protocol):
    """One server of a cache that has several."""

    name: str
    """Its address, for logs and metrics; unique within the cache."""


@runtime_checkable
class SupportsServers(Protocol):
    """A cache over several servers. Each is called side by side with the others, and stepped over on its own."""

    def servers(self, keys: Sequence[str]) -> Sequence[tuple[CacheServer, Sequence[str]]]:
        """The servers that these keys belong to, each with its keys. Answers at once; the same object each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """When calls are stepped over: after so many failures in a row, or such a share of them, among `min_requests`.

    They stay off for `open_duration` seconds; then `half_open_max_requests` trials must all succeed. With
    `first_open_duration` the first pause is shorter, and each one that ends with a failed trial doubles it.
    """

    min_requests: int = 50
    consecutive_failures: int = 5
    failure_percent: float = 0.05  # a share, 0 to 1
    half_open_max_requests: int = 10
    open_duration: float = 5.0  # s
    first_open_duration: float | None = None  # s; None is `open_duration`


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLimits:
    """How storegate calls a cache that is not local; a cache has it as its attribute `limits`."""

    timeout: float = 0.5  # s; what one get_many may keep a query waiting, all batches and servers together
    get_concurrency: int = 100  # calls of get_many under way at once
    get_batch_size: int = 0  # keys of one call; 0 is no limit
    set_concurrency: int = 20  # threads that write
    set_batch_size: int = 100  # items of one call
    set_queue: int = 10_000  # items that wait to be written; further ones are dropped
    set_breaker: BreakerLimits | None = None  # for writes alone; reads have one of their own, always
    max_item_size: int = 0  # bytes as stored; larger values are dropped; 0 is no limit
    metrics: str = ""  # names become `thanos_<metrics>_...`; empty: `storegate_cache_...`


class MetaFilter(Protocol):
    """Chooses blocks to leave out. Pure: the same metas and context give the same answer, and nothing is changed.

    Thread-safe. It must not read the bucket or a clock: `context.now` (ms) is the time. An exception fails the sync, so
    that no block comes or goes.

        def select(self, metas, context):
            return {ulid: "too-small" for ulid, meta in metas.items() if meta.num_samples < 1000}
    """

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        """ULIDs to drop, each with its state for `thanos_blocks_meta_synced` (such as `time-excluded`)."""


class Partitioner(Protocol):
    """Joins byte ranges of one object into the reads that are sent to the store. Thread-safe and pure.

    It is asked on the thread of a query, once for each list of ranges. An exception fails the query.

        partitioner.partition(np.array([0, 20, 9000]), np.array([10, 30, 9010]))    # [0, 2]: reads 0-30, 9000-9010
    """

    def partition(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """Indexes at which a new read begins, ascending, the first being 0.

        `starts` is ascending; range i is `[starts[i], ends[i])`. A read covers its ranges from the first start to
        the largest end. Empty input gives an empty array.
        """


@runtime_checkable
class LearnsFromReads(Protocol):
    """A partitioner that is told what reads cost, to choose better; between two reports it is pure."""

    def read_done(self, size: int, seconds: float) -> None:
        """A read of the bucket brought `size` bytes in `seconds`. Called on the thread that read: be quick."""


class FrontEnd(Protocol):
    """Serves the engine to clients over some transport. Requests come on threads of its own, and may call at once.

    What the gateway raises is of `storegate.errors`; it maps these to the statuses of its transport.

        values = gateway.label_values(LabelValuesRequest(label="job", start=0, end=now_ms), Call(tenant="a")).values
    """

    address: str
    """`host:port` that is listened on, known after `start`."""

    def start(self, gateway: Gateway) -> None:
        """Listen. Returns once requests can be answered. Raises ConfigurationError when the address cannot be used."""

    def stop(self, grace: float) -> None:
        """Refuse new calls, let running ones end for at most `grace` seconds, then end them. Returns when done."""


@runtime_checkable
class SupportsMount(Protocol):
    """A front end whose HTTP server takes the applications of other front ends (`Gateway.frontend` finds it)."""

    def mount(self, path: str, app: Any) -> None:
        """Answer `path` and everything below it with an ASGI application. Thread-safe. Call after `start`."""


class Observer(Protocol):
    """Is told what happened, on the thread where it happened: be quick. An exception is logged and counted, no more.

    Thread-safe: queries end on many threads. `reason` is the state that a filter gave, or `vanished`, `replaced`,
    `quarantined`.

        def query_finished(self, stats):
            self.log.info("query", tenant=stats.tenant, series=stats.merged_series_count)
    """

    def block_loaded(self, meta: BlockMeta) -> None: ...

    def block_dropped(self, meta: BlockMeta, reason: str) -> None: ...

    def query_finished(self, stats: QueryStats) -> None: ...


@runtime_checkable
class SupportsClose(Protocol):
    """An observer that holds something back, such as spans that are sent in batches."""

    def close(self) -> None:
        """Let go of it, within seconds. Called once, when the gateway stops, after the last query."""


# --- what hooks yield -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """Handed to every factory beside its checked configuration.

    Each place of the pipeline has its own; a factory may keep it.

        hits = Counter("acme_hits_total", "Hits", registry=context.registry)
    """

    name: str  # the provider's
    log: Any  # a structlog logger: log.info("message", key=value)
    registry: CollectorRegistry  # for metrics of the plugin's own
    role: str = ""  # which place of the pipeline this instance fills, such as `index-cache`


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One thing that a plugin offers. `factory` is `"module:callable"`, called with (config, PluginContext).

        CacheProvider(
            name="ACME", summary="Acme's cache", config=AcmeConfig, factory="storegate_acme.cache:open_cache", api="1.0"
        )

    The factory raises ConfigurationError for settings that cannot work, and other errors of `storegate.errors`.
    """

    name: str  # what operators write as `type:`; case-insensitive
    summary: str  # one line
    config: type[BaseModel]  # with extra="forbid"
    factory: str
    api: str = API_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStoreProvider(Provider):
    """`factory` returns an ObjectStore."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheProvider(Provider):
    """`factory` returns a Cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaFilterProvider(Provider):
    """`factory` returns a MetaFilter. `states` are the drop states it can give, so that metrics can show them as 0."""

    states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionerProvider(Provider):
    """`factory` returns a Partitioner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendProvider(Provider):
    """`factory` returns a FrontEnd. `early` ones start before the first sync (probes, metrics) and stop last."""

    early: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverProvider(Provider):
    """`factory` returns an Observer."""
