"""The typed settings of a gateway: one frozen model, filled from flags, from `storegate.yml`, or from both.

Durations are seconds, sizes are bytes, both given as text too (`storegate.config.units`). Unknown keys are errors.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from storegate.config.request_logging import RequestLogging
from storegate.config.units import ByteSize, Duration, TimeBound, resolve_time

EARLIEST = "0000-01-01T00:00:00Z"
LATEST = "9999-12-31T23:59:59Z"


class Model(BaseModel):
    """Strict about names, and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- references to plugins --------------------------------------------------------------------------------------------


class ComponentRef(Model):
    """A place of the pipeline that a plugin fills."""

    type: str = Field(min_length=1, description="Name of the provider, any case; `NAME@DISTRIBUTION` if two share it.")
    config: Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)] = Field(
        default={}, repr=False, description="Settings of the provider; its own documentation lists them."
    )


class HedgingSettings(Model):
    """Reads of the object store that are sent again when they are slow; the first answer counts."""

    enabled: bool = Field(default=False, description="Send a slow read again. Never while the store throttles.")
    up_to: int = Field(default=3, ge=1, description="Most requests for one read.")
    quantile: float = Field(
        default=0.9, gt=0, lt=1, description="A read is slow after as long as this share of the last ones took."
    )


class ObjectStoreRef(ComponentRef):
    """The bucket that holds the blocks."""

    prefix: str = Field(default="", description="Folder of the bucket under which the blocks lie.")
    hedging_config: HedgingSettings | None = Field(default=None, description="Hedged reads; none when left out.")

    @field_validator("prefix")
    @classmethod
    def _trim(cls, value: str) -> str:
        return value.strip("/")


class IndexCacheRef(ComponentRef):
    """The cache of postings and series."""

    enabled_items: tuple[Literal["Postings", "Series", "ExpandedPostings"], ...] = Field(
        default=(), description="What is cached; everything when empty."
    )
    ttl: Duration = Field(default=86_400.0, description="How long items live in a remote cache.")


class CachingBucketRef(ComponentRef):
    """A cache between the gateway and its object store."""

    @field_validator("type")
    @classmethod
    def _no_groupcache(cls, value: str) -> str:
        if value.casefold() == "groupcache":
            raise ValueError(
                "the cache GROUPCACHE is not supported: take MEMCACHED or REDIS to share one between gateways, "
                "IN-MEMORY for one in each"
            )
        return value

    chunk_subrange_size: int = Field(default=16_000, ge=1, description="Unit in which chunk files are cached (bytes).")
    max_chunks_get_range_requests: int = Field(
        default=3, description="Most requests to the bucket for one ranged read; 0 or less is no limit."
    )
    chunk_object_attrs_ttl: Duration = Field(default=86_400.0, description="How long sizes of chunk files are kept.")
    chunk_subrange_ttl: Duration = Field(default=86_400.0, description="How long parts of chunk files are kept.")
    blocks_iter_ttl: Duration = Field(default=300.0, description="How long the listing of the bucket's root is kept.")
    metafile_exists_ttl: Duration = Field(default=7_200.0, description="How long the presence of a meta file is kept.")
    metafile_doesnt_exist_ttl: Duration = Field(
        default=900.0, description="How long the absence of a meta file is kept."
    )
    metafile_content_ttl: Duration = Field(default=86_400.0, description="How long the content of a meta file is kept.")
    metafile_max_size: ByteSize = Field(default=1 << 20, description="Larger meta files are not cached.")


class TracingRef(ComponentRef):
    """Where traces of queries go."""

    @field_validator("type")
    @classmethod
    def _only_otlp(cls, value: str) -> str:
        if value.upper() in ("JAEGER", "GOOGLE_CLOUD", "STACKDRIVER", "ELASTIC_APM", "LIGHTSTEP"):
            raise ValueError(
                f"tracing of type {value.upper()} is not supported: take OTLP; the OpenTelemetry collector passes "
                "traces on to it"
            )
        return value


# --- groups of settings -----------------------------------------------------------------------------------------------


class PluginSettings(Model):
    """Which plugins may be imported: names of entry points or of distributions."""

    disable: tuple[str, ...] = Field(default=(), description="Plugins that are never imported.")
    allow: tuple[str, ...] | None = Field(default=None, description="When given, no other plugin is imported.")
    safe_mode: bool = Field(
        default=False,
        description="Import built-in plugins alone. Caches, partitioner, observers and front ends of others are left "
        "out or replaced by the default; an object store or a meta filter of another ends the start.",
    )


class TimeRange(Model):
    """The stretch of time that is served; bounds relative to now move with the clock."""

    min_time: TimeBound = Field(default=EARLIEST, description="Start: RFC 3339, or relative to now, such as `-6w`.")
    max_time: TimeBound = Field(default=LATEST, description="End: RFC 3339, or relative to now, such as `-2h`.")

    @model_validator(mode="after")
    def _in_order(self) -> TimeRange:
        start, end = self.resolve(int(time.time() * 1000))
        if start > end:
            raise ValueError(f"min_time {self.min_time} is after max_time {self.max_time}")
        return self

    def resolve(self, now_ms: int) -> tuple[int, int]:
        """(start, end) in milliseconds since the epoch, as seen at `now_ms`."""
        return resolve_time(self.min_time, now_ms), resolve_time(self.max_time, now_ms)


class SyncSettings(Model):
    """How blocks are found and loaded."""

    interval: Duration = Field(default=180.0, gt=0, description="Time between the starts of two syncs.")
    strategy: Literal["recursive", "concurrent"] = Field(
        default="recursive",
        description="`recursive`: one listing of the whole bucket; `concurrent`: one of its root, a check per block.",
    )
    block_concurrency: int = Field(default=20, ge=1, description="Blocks loaded in parallel.")
    meta_concurrency: int = Field(default=32, ge=1, description="Meta files and marks read in parallel.")


class IndexHeaderSettings(Model):
    """When index-headers are built, opened and closed."""

    lazy: bool = Field(default=False, description="Open an index-header when a query first needs it.")
    lazy_download: bool = Field(default=False, description="Also build it only then; no effect without `lazy`.")
    idle_timeout: Duration = Field(
        default=300.0, description="Close a lazily opened one after so long unused; 0: never."
    )
    sampling: int = Field(default=32, ge=1, description="Keep one of so many postings offsets in memory.")


class LimitSettings(Model):
    """What one request may cost; 0 is no limit."""

    series: int = Field(default=0, ge=0, description="Series of one request.")
    samples: int = Field(default=0, ge=0, description="Samples of one request, counted as 120 for each chunk.")
    bytes: ByteSize = Field(default=0, description="Bytes fetched or touched by one request.")
    concurrency: int = Field(default=20, ge=0, description="Series calls that run at once; 0 is no limit.")


class QuerySettings(Model):
    """How queries run."""

    lazy_expanded_postings: bool = Field(
        default=False, description="Leave out postings that cost more to fetch than the series they would exclude."
    )
    max_key_series_ratio: float = Field(
        default=100.0,
        ge=0,
        description="With it: leave out matchers with so many keys per matching series; 0: off.",
    )
    series_batch: int = Field(default=10_000, ge=1, description="Series handled at a time.")
    series_size: int = Field(default=65_536, ge=1, description="Bytes read for one series entry at the first try.")
    chunk_size: int = Field(default=16_000, ge=1, description="Bytes read for one chunk at the first try.")
    chunk_pool: ByteSize = Field(default=2 << 30, description="Most memory for chunks of running queries; 0: no limit.")
    matcher_cache: int = Field(default=0, description="Compiled regular expressions kept; 0 or less: none.")


class WebSettings(Model):
    """What the HTTP API and the pages built on it show, and what they allow."""

    disable: bool = Field(default=False, description="No HTTP API and no UI; probes, metrics and profiles stay.")
    external_prefix: str = Field(default="", description="Path under which a proxy serves the UI.")
    prefix_header: str = Field(
        default="", description="Request header that holds this path; without effect beside `external_prefix`."
    )
    disable_cors: bool = Field(default=False, description="No CORS headers on answers of the API.")
    group_label: str = Field(default="", description="External label by which blocks are grouped.")
    disable_admin_operations: bool = Field(default=False, description="Refuse what changes something: marking blocks.")
    disable_debug: bool = Field(default=False, description="No profiles and thread stacks under `/debug/pprof/`.")


class LogSettings(Model):
    """What is logged, and how."""

    level: Literal["error", "warn", "info", "debug"] = Field(default="info", description="Least level that is logged.")
    format: Literal["logfmt", "json", "journald"] = Field(default="logfmt", description="Form of the lines.")
    name: str = Field(default="", description="Added to each line as `name`.")


# --- the whole --------------------------------------------------------------------------------------------------------

DEFAULT_FILTERS = ("time-partition", "label-shard", "consistency-delay", "ignore-deletion-mark", "deduplicate")
DEFAULT_FRONTENDS = ("grpc", "http", "ui")
DEFAULT_INDEX_CACHE = {"type": "IN-MEMORY", "config": {"max_size": "250MB"}}


class Settings(Model):
    """Everything that an operator can set."""

    object_store: ObjectStoreRef = Field(description="The bucket that holds the blocks.")
    data_dir: Path = Field(default=Path("./data"), description="Local state: index-headers and copies of meta files.")
    cache_index_header: bool = Field(
        default=True, description="Keep index-headers and metas in `data_dir`, else in memory."
    )
    index_cache: IndexCacheRef = Field(
        default=IndexCacheRef.model_validate(DEFAULT_INDEX_CACHE), description="Cache of postings and series."
    )
    caching_bucket: CachingBucketRef | None = Field(
        default=None, description="Cache in front of the object store; none by default."
    )
    meta_filters: tuple[ComponentRef, ...] = Field(
        default=tuple(ComponentRef(type=name) for name in DEFAULT_FILTERS),
        description="Rules that leave blocks out, in order.",
    )
    partitioner: ComponentRef = Field(
        default=ComponentRef(type="gap"), description="How byte ranges are joined into reads."
    )
    frontends: tuple[ComponentRef, ...] = Field(
        default=tuple(ComponentRef(type=name) for name in DEFAULT_FRONTENDS), description="Servers that answer clients."
    )
    observers: tuple[ComponentRef, ...] = Field(
        default=(ComponentRef(type="slow-query-log"),), description="Listeners for blocks and finished queries."
    )
    tracing: TracingRef | None = Field(default=None, description="Traces of queries; none by default.")
    plugins: PluginSettings = Field(default=PluginSettings(), description="Which plugins may be imported.")
    time: TimeRange = Field(default=TimeRange(), description="Stretch of time that is served.")
    sync: SyncSettings = Field(default=SyncSettings(), description="How blocks are found and loaded.")
    index_header: IndexHeaderSettings = Field(default=IndexHeaderSettings(), description="Index-headers.")
    limits: LimitSettings = Field(default=LimitSettings(), description="What one request may cost.")
    query: QuerySettings = Field(default=QuerySettings(), description="How queries run.")
    web: WebSettings = Field(default=WebSettings(), description="HTTP API and UI.")
    log: LogSettings = Field(default=LogSettings(), description="Logging.")
    request_logging: RequestLogging = Field(default=RequestLogging(), description="Lines about calls.")

    @model_validator(mode="after")
    def _time_reaches_the_filter(self) -> Settings:
        """`time` is also what the filter `time-partition` goes by, unless its own entry says otherwise."""
        bounds = {name: getattr(self.time, name) for name in ("min_time", "max_time")}
        filters = tuple(
            ref.model_copy(update={"config": bounds | ref.config}) if ref.type.lower() == "time-partition" else ref
            for ref in self.meta_filters
        )
        object.__setattr__(self, "meta_filters", filters)
        return self
