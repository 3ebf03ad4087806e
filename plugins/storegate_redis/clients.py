"""Clients of redis-py: for one server, for servers under Sentinel, for a cluster."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from redis import Redis, SSLConnection
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedSSLConnection

from storegate import ConfigurationError
from storegate_redis import RedisConfig, split_addresses

_Sentinel: Any = Sentinel  # without types
_ClusterNode: Any = ClusterNode

Kind = Literal["server", "sentinel", "cluster"]


class Clients(NamedTuple):
    """One for reads, which may be replicas under Sentinel, and one for writes: they differ in their timeouts."""

    reader: Any
    writer: Any

    def close(self) -> None:
        """Give connections back."""
        for client in self:
            client.close()

    def forget_idle(self) -> None:
        """Close unused connections: a server that went away without a word leaves some that each cost a timeout."""
        for client in self:
            nodes: list[Any] = client.get_nodes() if hasattr(client, "get_nodes") else []
            for single in [node.redis_connection for node in nodes] or [client]:
                if single is not None:
                    single.connection_pool.disconnect(inuse_connections=False)


class ClientFactory:
    """Makes clients. Thread-safe. `where` opens messages about the configuration."""

    def __init__(self, config: RedisConfig, where: str) -> None:
        self._config = config
        self._where = where
        self._addresses = split_addresses(config.addr)
        self._tls = tls_options(config, where) if config.tls_enabled else {}
        if self.kind == "cluster":
            self._check_cluster()

    @property
    def kind(self) -> Kind:
        """What the configuration describes; a single server may turn out to be one of a cluster."""
        if self._config.master_name:
            return "sentinel"
        return "cluster" if len(self._addresses) > 1 else "server"

    def make(self, kind: Kind) -> Clients:
        """New clients. Those of a cluster connect. Raises ConfigurationError and what redis-py raises."""
        makers: dict[Kind, Callable[[float, bool], Any]] = {
            "server": self._server,
            "sentinel": self._sentinel,
            "cluster": self._cluster,
        }
        return Clients(makers[kind](self._config.read_timeout, True), makers[kind](self._config.write_timeout, False))

    def _server(self, timeout: float, reads: bool) -> Redis:
        host, port = self._addresses[0]
        client = Redis(host=host, port=port, **self._options(timeout), **self._tls)
        self._name_server(client, _NamedConnection)
        return client

    def _sentinel(self, timeout: float, reads: bool) -> Redis:
        options = {"socket_timeout": timeout, "socket_connect_timeout": self._config.dial_timeout, "retry": _retry()}
        sentinel: Any = _Sentinel(self._addresses, sentinel_kwargs=options | self._tls)
        for asked in sentinel.sentinels:
            self._name_server(asked, _NamedConnection)
        made = sentinel.slave_for if reads else sentinel.master_for
        client: Redis = made(self._config.master_name, **self._options(timeout), **self._tls)
        self._name_server(client, _NamedSentinelConnection)
        return client

    def _cluster(self, timeout: float, reads: bool) -> RedisCluster:
        self._check_cluster()
        nodes = [_ClusterNode(host, port) for host, port in self._addresses]
        return RedisCluster(startup_nodes=nodes, **self._options(timeout), **self._tls)

    def _options(self, timeout: float) -> dict[str, Any]:
        config = self._config
        return {
            **({"db": config.db} if config.db else {}),
            "username": config.username or None,
            "password": config.password.get_secret_value() or None,
            "socket_timeout": timeout,
            "socket_connect_timeout": config.dial_timeout,
            "socket_keepalive": True,
            "protocol": 2,
            "retry": _retry(),
        }

    def _check_cluster(self) -> None:
        """What redis-py cannot do for a cluster is refused, not passed over."""
        config = self._config
        keys = {"db": config.db, "tls_config.server_name": config.tls_config.server_name}
        keys["tls_config.min_version"] = config.tls_config.min_version == "1.3"
        for key, value in keys.items():
            if value:
                raise ConfigurationError(f"{self._where}: {key} cannot be used with a Redis Cluster: leave it out")

    def _name_server(self, client: Redis, connection_class: type) -> None:
        """Let the certificate be checked against `tls_config.server_name`, for which redis-py has no option."""
        if self._config.tls_enabled and self._config.tls_config.server_name:
            client.connection_pool.connection_class = type(
                connection_class.__name__, (connection_class,), {"tls_name": self._config.tls_config.server_name}
            )


def tls_options(config: RedisConfig, where: str) -> dict[str, Any]:
    """The options of redis-py. Raises ConfigurationError for files that cannot be used."""
    tls = config.tls_config
    tls.ssl_context(f"{where}, tls_config")
    certificate, key = tls.client_certificate or (None, None)
    return {
        "ssl": True,
        "ssl_ca_certs": str(tls.ca_file) if tls.ca_file else None,
        "ssl_certfile": certificate,
        "ssl_keyfile": key,
        "ssl_cert_reqs": "none" if tls.insecure_skip_verify else "required",
        "ssl_check_hostname": not tls.insecure_skip_verify,
        "ssl_min_version": ssl.TLSVersion.TLSv1_3 if tls.min_version == "1.3" else ssl.TLSVersion.TLSv1_2,
    }


def _retry() -> Retry:
    """Once more at once where a connection was cut; a timeout is not waited for twice."""
    return Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))


class _Named:
    """Offers and checks another name than that of the address."""

    tls_name = ""
    host: str

    def _wrap_socket_with_ssl(self, sock: Any) -> Any:
        host, self.host = self.host, self.tls_name
        try:
            return super()._wrap_socket_with_ssl(sock)  # type: ignore[misc]
        finally:
            self.host = host


class _NamedConnection(_Named, SSLConnection):
    pass


class _NamedSentinelConnection(_Named, SentinelManagedSSLConnection):
    pass
