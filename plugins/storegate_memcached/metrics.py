"""Metrics of MEMCACHED that storegate does not keep for every cache (operations 5.5)."""

from __future__ import annotations

from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from storegate.metrics import once_per_registry
from storegate_memcached import MemcachedConfig

_INFO = (
    "timeout",
    "max_idle_connections",
    "max_async_concurrency",
    "max_async_buffer_size",
    "max_item_size",
    "max_get_multi_concurrency",
    "max_get_multi_batch_size",
    "dns_provider_update_interval",
)


class Families:
    """The metric families, each with the label `name`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str) -> Counter:
            return Counter(f"thanos_memcached_{name}", text, ["name"], registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"thanos_memcached_{name}", text, ["name", *labels], registry=registry)

        self.info = gauge("client_info", "Always 1; the labels are the settings", *_INFO)
        self.dns_lookups = counter("dns_lookups_total", "Addresses that were looked up")
        self.dns_failures = counter("dns_failures_total", "Failed ones")
        self.dns_results = gauge("dns_provider_results", "Servers that the last lookup gave", "addr")
        self.endpoint_lookups = counter("auto_discovery_total", "Configuration endpoints that were asked")
        self.endpoint_failures = counter("auto_discovery_failures_total", "Failed ones")
        self.endpoint_version = gauge("auto_discovery_config_version", "Version of a cluster's configuration", "addr")
        self.endpoint_results = gauge("auto_discovery_resolved_addresses", "Servers that an endpoint listed", "addr")


@once_per_registry
def families(registry: CollectorRegistry) -> Families:
    """The families of a registry."""
    return Families(registry)


class DiscoveryMetrics(Protocol):
    """What `Discovery` counts."""

    def found(self, address: str, servers: int) -> None: ...

    def failed(self, address: str) -> None: ...


class DnsMetrics:
    """Of lookups of names."""

    def __init__(self, of: Families, name: str) -> None:
        self._lookups, self._failures = of.dns_lookups.labels(name), of.dns_failures.labels(name)
        self._results = of.dns_results
        self._name = name

    def found(self, address: str, servers: int) -> None:
        """A lookup gave so many."""
        self._lookups.inc()
        self._results.labels(self._name, address).set(servers)

    def failed(self, address: str) -> None:
        """A lookup failed."""
        self._lookups.inc()
        self._failures.inc()


class EndpointMetrics:
    """Of configuration endpoints."""

    def __init__(self, of: Families, name: str) -> None:
        self._lookups, self._failures = of.endpoint_lookups.labels(name), of.endpoint_failures.labels(name)
        self._version, self._results = of.endpoint_version, of.endpoint_results
        self._name = name

    def found(self, address: str, servers: int) -> None:
        """An endpoint listed so many."""
        self._lookups.inc()
        self._results.labels(self._name, address).set(servers)

    def failed(self, address: str) -> None:
        """No endpoint of this address answered."""
        self._lookups.inc()
        self._failures.inc()

    def version(self, address: str, version: int) -> None:
        """The version that an endpoint told."""
        self._version.labels(self._name, address).set(version)


def show_settings(of: Families, config: MemcachedConfig, name: str) -> None:
    """Set `thanos_memcached_client_info`."""
    values = {key: str(getattr(config, key)) for key in _INFO}
    of.info.labels(name=name, **values).set(1)
