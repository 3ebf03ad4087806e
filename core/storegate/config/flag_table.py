"""The flags of `thanos store`, as data: name, kind, default, the setting that each fills, and its help."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from storegate.config.request_logging import RequestLogging
from storegate.config.settings import (
    EARLIEST,
    LATEST,
    CachingBucketRef,
    IndexCacheRef,
    ObjectStoreRef,
    TracingRef,
)


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. `targets` are paths of settings; none means that it is accepted without effect, and `ignored` says why.

    A target `meta_filters.NAME.KEY` or `frontends.NAME.KEY` is a key of that component's config.
    """

    name: str
    kind: str
    help: str
    targets: tuple[str, ...] = ()
    default: str = ""
    section: str = ""
    aliases: tuple[str, ...] = ()  # deprecated names of the same flag: the last on the line wins
    choices: dict[str, Any] = field(default_factory=dict)
    repeatable: bool = False
    hidden: bool = False
    late: bool = False  # a value out of range is a configuration error (exit code 1), not wrong usage (2)
    ignored: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two flags for one YAML text: `--NAME-file` takes a path, `--NAME` the text itself."""

    name: str
    help: str
    section: str
    target: str = ""
    model: type[BaseModel] | None = None
    key: str = ""  # where the YAML is a list: the key of the target's config that takes it
    hidden: bool = False
    ignored: str = ""


PROCESS, NETWORK, BLOCKS, QUERY, WEB = "Process", "Network", "Blocks and storage", "Queries", "Web"

_NO_GO = "there is no Go runtime to limit"


def _group(section: str, *flags: Flag) -> tuple[Flag, ...]:
    return tuple(replace(flag, section=section) for flag in flags)


FLAGS: tuple[Flag, ...] = (
    *_group(
        PROCESS,
        Flag("config", "text", "Configuration file of storegate (YAML). Flags given beside it win."),
        Flag(
            "log.level",
            "choice",
            "Least level that is logged.",
            ("log.level",),
            "info",
            choices={"error": "error", "warn": "warn", "info": "info", "debug": "debug"},
        ),
        Flag(
            "log.format",
            "choice",
            "Form of log lines.",
            ("log.format",),
            "logfmt",
            choices={"logfmt": "logfmt", "json": "json", "journald": "journald"},
        ),
        Flag("debug.name", "text", "Added to each log line as `name`.", ("log.name",), hidden=True),
        Flag(
            "plugins.safe-mode",
            "bool",
            "Run with built-in plugins alone (an addition of storegate).",
            ("plugins.safe_mode",),
            "false",
        ),
        Flag("enable-auto-gomemlimit", "bool", "Memory limit from the machine.", default="false", ignored=_NO_GO),
        Flag("auto-gomemlimit.ratio", "ratio", "Share of it.", default="0.9", late=True, ignored=_NO_GO),
    ),
    *_group(
        NETWORK,
        Flag("http-address", "text", "Listen address of HTTP.", ("frontends.http.address",), "0.0.0.0:10902"),
        Flag("http-grace-period", "prom-duration", "Time to drain HTTP.", ("frontends.http.grace_period",), "2m"),
        Flag("http.config", "text", "File with TLS and authentication for HTTP.", ("frontends.http.config_file",)),
        Flag("grpc-address", "text", "Listen address of gRPC.", ("frontends.grpc.address",), "0.0.0.0:10901"),
        Flag("grpc-grace-period", "go-duration", "Time to drain gRPC.", ("frontends.grpc.grace_period",), "2m"),
        Flag(
            "grpc-server-tls-cert",
            "text",
            "Certificate file; with the key it turns TLS on.",
            ("frontends.grpc.tls_cert",),
        ),
        Flag("grpc-server-tls-key", "text", "Key file of the certificate.", ("frontends.grpc.tls_key",)),
        Flag(
            "grpc-server-tls-client-ca",
            "text",
            "CA file: clients must show a certificate.",
            ("frontends.grpc.tls_client_ca",),
        ),
        Flag(
            "grpc-server-tls-min-version",
            "choice",
            "Least TLS version; below 1.2 is never used.",
            ("frontends.grpc.tls_min_version",),
            "1.3",
            choices={version: version for version in ("1.0", "1.1", "1.2", "1.3")},
        ),
        Flag(
            "grpc-server-tls-ciphers",
            "text",
            "Cipher suite for TLS up to 1.2; repeatable.",
            ("frontends.grpc.tls_ciphers",),
            repeatable=True,
        ),
        Flag(
            "grpc-server-tls-curves",
            "text",
            "Key exchange groups; repeatable.",
            repeatable=True,
            ignored="the gRPC library chooses the curves",
        ),
        Flag(
            "grpc-server-max-connection-age",
            "go-duration",
            "Close connections of this age; 0: never.",
            ("frontends.grpc.max_connection_age",),
            "60m",
        ),
    ),
    *_group(
        BLOCKS,
        Flag("data-dir", "text", "Local state: index-headers and copies of meta files.", ("data_dir",), "./data"),
        Flag("cache-index-header", "bool", "Keep them there; otherwise in memory.", ("cache_index_header",), "true"),
        Flag("sync-block-duration", "interval", "Time between two syncs.", ("sync.interval",), "3m"),
        Flag(
            "block-discovery-strategy",
            "choice",
            "recursive: one listing; concurrent: a check per block.",
            ("sync.strategy",),
            "recursive",
            choices={"recursive": "recursive", "concurrent": "concurrent"},
            late=True,
        ),
        Flag(
            "block-sync-concurrency",
            "positive",
            "Blocks loaded in parallel.",
            ("sync.block_concurrency",),
            "20",
            late=True,
        ),
        Flag(
            "block-meta-fetch-concurrency", "positive", "Meta files read in parallel.", ("sync.meta_concurrency",), "32"
        ),
        Flag(
            "min-time",
            "time",
            "Start of the time served: RFC 3339, or relative such as -6w.",
            ("time.min_time", "meta_filters.time-partition.min_time"),
            EARLIEST,
        ),
        Flag(
            "max-time",
            "time",
            "End of the time served.",
            ("time.max_time", "meta_filters.time-partition.max_time"),
            LATEST,
        ),
        Flag(
            "consistency-delay",
            "prom-duration",
            "Least age of fresh blocks.",
            ("meta_filters.consistency-delay.delay",),
            "0s",
        ),
        Flag(
            "ignore-deletion-marks-delay",
            "prom-duration",
            "How long a block marked for deletion is still served.",
            ("meta_filters.ignore-deletion-mark.delay",),
            "24h",
        ),
        Flag(
            "store.enable-index-header-lazy-reader",
            "bool",
            "Open index-headers at first use.",
            ("index_header.lazy",),
            "false",
        ),
        Flag(
            "store.index-header-lazy-download-strategy",
            "choice",
            "lazy: also build them at first use.",
            ("index_header.lazy_download",),
            "eager",
            choices={"eager": False, "lazy": True},
        ),
        Flag(
            "store.index-header-lazy-reader-idle-timeout",
            "go-duration",
            "Close an index-header after so long unused.",
            ("index_header.idle_timeout",),
            "5m",
            hidden=True,
        ),
        Flag(
            "store.index-header-posting-offsets-in-mem-sampling",
            "positive",
            "Keep one of so many postings offsets.",
            ("index_header.sampling",),
            "32",
            hidden=True,
        ),
        Flag(
            "debug.advertise-compatibility-label",
            "bool",
            "Advertise a label for queriers before v0.8.",
            default="true",
            hidden=True,
            ignored="queriers that need the compatibility label are no longer supported",
        ),
    ),
    *_group(
        QUERY,
        Flag(
            "store.grpc.series-max-concurrency",
            "count",
            "Series calls at once; 0: no limit.",
            ("limits.concurrency",),
            "20",
            late=True,
        ),
        Flag(
            "store.limits.request-series",
            "count",
            "Series of one request; 0: no limit.",
            ("limits.series",),
            "0",
            aliases=("store.grpc.touched-series-limit",),
        ),
        Flag(
            "store.limits.request-samples",
            "count",
            "Samples of one request; 0: no limit.",
            ("limits.samples",),
            "0",
            aliases=("store.grpc.series-sample-limit",),
        ),
        Flag(
            "store.grpc.downloaded-bytes-limit",
            "bytes",
            "Bytes fetched or touched by one call; 0: no limit.",
            ("limits.bytes",),
            "0",
        ),
        Flag(
            "index-cache-size", "bytes", "Size of the in-memory index cache.", ("index_cache.config.max_size",), "250MB"
        ),
        Flag("chunk-pool-size", "bytes", "Most memory for chunks; 0: no limit.", ("query.chunk_pool",), "2GB"),
        Flag("matcher-cache-size", "integer", "Compiled regular expressions kept.", ("query.matcher_cache",), "0"),
        Flag(
            "store.enable-lazy-expanded-postings",
            "bool",
            "Leave out expensive postings.",
            ("query.lazy_expanded_postings",),
            "false",
        ),
        Flag(
            "store.posting-group-max-key-series-ratio",
            "number",
            "Leave out matchers with more keys per series; 0: off.",
            ("query.max_key_series_ratio",),
            "100",
        ),
        Flag(
            "debug.series-batch-size",
            "positive",
            "Series handled at a time.",
            ("query.series_batch",),
            "10000",
            hidden=True,
        ),
        Flag(
            "debug.estimated-max-series-size",
            "positive",
            "First guess of a series' bytes.",
            ("query.series_size",),
            "65536",
            hidden=True,
        ),
        Flag(
            "debug.estimated-max-chunk-size",
            "positive",
            "First guess of a chunk's bytes.",
            ("query.chunk_size",),
            "16000",
            hidden=True,
        ),
    ),
    *_group(
        WEB,
        Flag("web.disable", "bool", "Switch off UI and API.", ("web.disable",), "false"),
        Flag("web.external-prefix", "text", "Path prefix of the UI.", ("web.external_prefix",)),
        Flag("web.prefix-header", "text", "Request header with that prefix.", ("web.prefix_header",)),
        Flag("web.disable-cors", "bool", "No CORS headers.", ("web.disable_cors",), "false"),
        Flag("web.disable-debug", "bool", "No profiles under /debug/pprof.", ("web.disable_debug",), "false"),
        Flag("bucket-web-label", "text", "External label by which blocks are grouped.", ("web.group_label",)),
        Flag(
            "disable-admin-operations",
            "bool",
            "Refuse to mark blocks.",
            ("web.disable_admin_operations",),
            "false",
        ),
    ),
)

PAIRS: tuple[Pair, ...] = (
    Pair("tracing.config", "Where traces of queries go.", PROCESS, "tracing", TracingRef),
    Pair("objstore.config", "The object store (required).", BLOCKS, "object_store", ObjectStoreRef),
    Pair(
        "objstore-parquet.config",
        "A bucket whose parquet files say which blocks to leave out.",
        BLOCKS,
        ignored="blocks converted to parquet stay served here",
    ),
    Pair(
        "selector.relabel-config",
        "Relabel rules that choose blocks.",
        BLOCKS,
        "meta_filters.label-shard",
        key="rules",
    ),
    Pair("index-cache.config", "The index cache.", QUERY, "index_cache", IndexCacheRef),
    Pair(
        "store.caching-bucket.config",
        "A cache in front of the object store.",
        QUERY,
        "caching_bucket",
        CachingBucketRef,
        hidden=True,
    ),
    Pair("request.logging-config", "Which calls are logged.", WEB, "request_logging", RequestLogging),
)
