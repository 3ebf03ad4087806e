"""What a front end asks the engine for. The records mirror the StoreAPI (spec/storeapi.md 2.3), without protobuf."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class MatchType(IntEnum):
    """Wire values of `LabelMatcher.Type`."""

    EQ = 0
    NEQ = 1
    RE = 2
    NRE = 3


class Aggregate(IntEnum):
    """Wire values of `Aggr`."""

    RAW = 0
    COUNT = 1
    SUM = 2
    MIN = 3
    MAX = 4
    COUNTER = 5


@dataclass(frozen=True, slots=True)
class LabelMatcher:
    """A matcher as it was sent: `type` is not yet checked (an unknown one is an InvalidRequestError in the engine)."""

    type: int
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """`ShardInfo`: series whose label hash modulo `total` is `index`. Active when `total` is at least 1."""

    index: int
    total: int
    by: bool
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRequest:
    """A `Series` call. Times are ms, both ends inclusive; a `limit` of 0 or less is off.

    `batch_size` 0 and 1 give a frame for each series, more give batches of exactly so many, and -1 gives one batch for
    each step of the engine, whatever its size: these are large and few, and bounded in bytes.
    """

    min_time: int
    max_time: int
    matchers: tuple[LabelMatcher, ...] = ()
    max_resolution: int = 0
    aggregates: tuple[int, ...] = ()
    skip_chunks: bool = False
    shard: Shard | None = None
    without_replica_labels: tuple[str, ...] = ()
    limit: int = 0
    batch_size: int = 0
    block_matchers: tuple[LabelMatcher, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelNamesRequest:
    """A `LabelNames` call."""

    start: int
    end: int
    matchers: tuple[LabelMatcher, ...] = ()
    without_replica_labels: tuple[str, ...] = ()
    limit: int = 0
    block_matchers: tuple[LabelMatcher, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelValuesRequest:
    """A `LabelValues` call."""

    label: str
    start: int
    end: int
    matchers: tuple[LabelMatcher, ...] = ()
    without_replica_labels: tuple[str, ...] = ()
    limit: int = 0
    block_matchers: tuple[LabelMatcher, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsAnswer:
    """Sorted names or values. `blocks` are the ULIDs that were asked, None when the answer needed none at all."""

    values: list[str]
    blocks: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TSDBInfo:
    """A stretch of time that one external label set covers."""

    labels: tuple[tuple[str, str], ...]
    min_time: int
    max_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """What `Info` advertises (spec/storeapi.md 11)."""

    label_sets: tuple[tuple[tuple[str, str], ...], ...]
    min_time: int
    max_time: int
    tsdb_infos: tuple[TSDBInfo, ...]
