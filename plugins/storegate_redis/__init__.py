"""The cache REDIS: a Redis server, a set of them under Sentinel, or a Redis Cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

import storegate
from storegate.config.cache_client import RemoteCacheConfig
from storegate.config.http_client import TlsClientConfig
from storegate.config.units import ByteSize, Duration


def split_addresses(text: str) -> list[tuple[str, int]]:
    """(host, port) of each address of a comma list. Raises ValueError."""
    return [_host_and_port(part.strip()) for part in text.split(",")]


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} is not an address (such as redis.example:6379)")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _addresses(text: str) -> str:
    split_addresses(text)
    return text


class RedisConfig(RemoteCacheConfig):
    """Settings of a REDIS cache."""

    addr: Annotated[str, AfterValidator(_addresses)] = Field(
        description="`host:port`; several, divided by commas, are nodes of a cluster, or sentinels with `master_name`."
    )
    username: str = Field(default="", description="User of Redis 6 and later.")
    password: SecretStr = Field(default=SecretStr(""), description="Password of the user, or of the server.")
    db: int = Field(default=0, ge=0, description="Number of the database; a cluster has 0 alone.")
    master_name: str = Field(default="", description="Ask sentinels at `addr` for the servers of this name.")
    prefix: str = Field(default="", description="Begins every key.")
    dial_timeout: Duration = Field(default=5.0, gt=0, description="Longest time to connect.")
    read_timeout: Duration = Field(default=3.0, gt=0, description="Longest a read may take, and keep a query waiting.")
    write_timeout: Duration = Field(default=3.0, gt=0, description="Longest each step of a write may take.")
    get_multi_batch_size: int = Field(default=100, ge=0, description="Keys of one request; 0: no limit.")
    max_set_multi_concurrency: int = Field(default=100, ge=0, description="Writing requests at once; 0: no limit.")
    set_multi_batch_size: int = Field(default=100, ge=0, description="Values of one writing request; 0: no limit.")
    tls_enabled: bool = Field(default=False, description="Speak TLS, with sentinels too.")
    tls_config: TlsClientConfig = Field(default_factory=TlsClientConfig, description="TLS files and verification.")
    cache_size: ByteSize = Field(
        default=0, description="Accepted, without effect: values are not kept a second time in this process."
    )


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="REDIS",
        summary="a Redis server, servers under Sentinel, or a Redis Cluster",
        config=RedisConfig,
        factory="storegate_redis.cache:open_cache",
    )
