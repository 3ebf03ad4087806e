"""Several memcached servers as one cache."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence

from storegate import CacheLimits, PluginContext, StoregateError, UnavailableError
from storegate_memcached import MemcachedConfig
from storegate_memcached.auto_discovery import nodes_of
from storegate_memcached.discovery import Discovery
from storegate_memcached.keys import PICKS, Pick, wire_key
from storegate_memcached.metrics import DnsMetrics, EndpointMetrics, families, show_settings
from storegate_memcached.resolver import resolve, srv_records
from storegate_memcached.server import Server


def open_cache(config: MemcachedConfig, context: PluginContext) -> MemcachedCache:
    """Factory of the provider MEMCACHED. Connects to no server, but looks names and endpoints up.

    Raises ConfigurationError for TLS files that cannot be used, and when no server is found.
    """
    where = f"{context.role or 'cache'}: MEMCACHED"
    name = context.role or "default"
    tls = config.tls_config.ssl_context(f"{where}, tls_config") if config.tls_enabled else None
    of_registry = families(context.registry)
    show_settings(of_registry, config, name)

    def server_at(address: str) -> Server:
        return server_of(config, tls, address)

    def dns(address: str) -> list[str]:
        return resolve(address, srv_records)

    if config.auto_discovery:
        endpoints = EndpointMetrics(of_registry, name)
        discovery = Discovery(
            config.addresses, lambda a: _listed_servers(a, dns(a), server_at, endpoints), endpoints, context.log
        )
    else:
        discovery = Discovery(config.addresses, dns, DnsMetrics(of_registry, name), context.log)
    cache = MemcachedCache(discovery.first(where), server_at, PICKS[config.hashing], limits_of(config), discovery.close)
    if config.auto_discovery or any("+" in address for address in config.addresses):
        discovery.watch(config.dns_provider_update_interval, cache.use)
    return cache


def limits_of(config: MemcachedConfig) -> CacheLimits:
    """How storegate is to call this cache."""
    return CacheLimits(
        timeout=config.timeout,
        get_batch_size=config.max_get_multi_batch_size,
        max_item_size=config.max_item_size,
        metrics="memcached",
        **config.limits(),
    )


def server_of(config: MemcachedConfig, tls: ssl.SSLContext | None, address: str) -> Server:
    """The server at `host:port`."""
    return Server(address, config.timeout, config.max_idle_connections, tls, config.tls_config.server_name)


class MemcachedCache:
    """Keys spread over servers, which may change at any time. Thread-safe.

    Reading and writing raise what `Server` raises; storegate calls the servers one by one, see `servers`.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        server_at: Callable[[str], Server],
        pick: Pick,
        limits: CacheLimits,
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        self.limits = limits
        self._server_at = server_at
        self._pick = pick
        self._closed = closed
        self._ring: tuple[Server, ...] = ()
        self.use(addresses)

    def use(self, addresses: Sequence[str]) -> None:
        """From now on these servers, in this order, which `hashing` goes by. Called by one thread at a time."""
        if not addresses or [server.name for server in self._ring] == list(addresses):
            return
        known = {server.name: server for server in self._ring}
        self._ring = tuple(known.get(address) or self._server_at(address) for address in addresses)
        for gone in known.keys() - set(addresses):
            known[gone].close()

    def servers(self, keys: Sequence[str]) -> Sequence[tuple[Server, Sequence[str]]]:
        """See `storegate.SupportsServers`."""
        ring = self._ring
        if len(ring) == 1:
            return [(ring[0], keys)]
        names = [server.name for server in ring]
        split: dict[int, list[str]] = {}
        for key in keys:
            split.setdefault(self._pick(wire_key(key), names), []).append(key)
        return [(ring[i], its_keys) for i, its_keys in split.items()]

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `storegate.Cache.get_many`."""
        found: dict[str, bytes] = {}
        for server, its_keys in self.servers(keys):
            found |= server.get_many(its_keys)
        return found

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        """See `storegate.Cache.set_many`."""
        for server, its_keys in self.servers(list(items)):
            server.set_many({key: items[key] for key in its_keys}, ttl)

    def close(self) -> None:
        """See `storegate.Cache.close`."""
        self._closed()
        for server in self._ring:
            server.close()


def _listed_servers(
    address: str, endpoints: Iterable[str], server_at: Callable[[str], Server], metrics: EndpointMetrics
) -> list[str]:
    """What the first endpoint that answers lists."""
    last: StoregateError = UnavailableError("no endpoint")
    for at in endpoints:
        endpoint = server_at(at)
        try:
            nodes = nodes_of(endpoint)
        except StoregateError as error:
            last = error
            continue
        finally:
            endpoint.close()
        metrics.version(address, nodes.version)
        return nodes.servers
    raise last
