"""The cache MEMCACHED: one or more memcached servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

import storegate
from storegate.config.cache_client import RemoteCacheConfig
from storegate.config.http_client import TlsClientConfig
from storegate.config.units import ByteSize, Duration

DNS_PREFIXES = ("dns+", "dnsdualstack+", "dnssrv+", "dnssrvnoa+")


def _address(text: str) -> str:
    kind, plus, name = text.partition("+")
    prefix = kind + plus if plus else ""
    if prefix and prefix not in DNS_PREFIXES:
        raise ValueError(f"{text!r} begins with an unknown prefix (known: {', '.join(DNS_PREFIXES)})")
    host, _, port = (name if prefix else text).rpartition(":")
    if prefix.startswith("dnssrv") and not host:
        return text  # the records hold the port
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not an address (such as memcached.example:11211)")
    return text


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class MemcachedConfig(RemoteCacheConfig):
    """Settings of a MEMCACHED cache."""

    addresses: Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], BeforeValidator(_listed)] = Field(
        min_length=1,
        description="`host:port` of each server; `dns+host:port`, `dnsdualstack+host:port` (all addresses of a name), "
        "`dnssrv+name` (SRV records, then their addresses) or `dnssrvnoa+name` (SRV records alone) find several.",
    )
    timeout: Duration = Field(default=0.5, gt=0, description="Longest a read may take, and each step of a write.")
    max_idle_connections: int = Field(default=100, ge=1, description="Unused connections kept to each server.")
    max_get_multi_batch_size: int = Field(default=0, ge=0, description="Keys of one request; 0: no limit.")
    max_item_size: ByteSize = Field(
        default=1024**2, description="Larger values are not stored, as the server would refuse them; 0: no limit."
    )
    dns_provider_update_interval: Duration = Field(
        default=10.0, gt=0, description="How often names and endpoints are asked for servers."
    )
    auto_discovery: bool = Field(
        default=False, description="Addresses are configuration endpoints that list the servers, as of ElastiCache."
    )
    hashing: Literal["jump", "rendezvous"] = Field(
        default="jump",
        description="How keys are spread: `jump` as Thanos does; `rendezvous` moves fewer keys when a server in the "
        "middle of the list goes.",
    )
    tls_enabled: bool = Field(default=False, description="Speak TLS.")
    tls_config: TlsClientConfig = Field(default_factory=TlsClientConfig, description="TLS files and verification.")


@storegate.hookimpl
def storegate_caches() -> Iterator[storegate.CacheProvider]:
    yield storegate.CacheProvider(
        name="MEMCACHED",
        summary="one or more memcached servers",
        config=MemcachedConfig,
        factory="storegate_memcached.cache:open_cache",
    )
