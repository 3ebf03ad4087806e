"""A Redis, or several, as one cache."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from redis.exceptions import MovedError, ResponseError

from storegate import CacheLimits, PluginContext, StoregateError
from storegate_redis import RedisConfig
from storegate_redis.clients import ClientFactory, Clients, Kind
from storegate_redis.errors import FAILURES, translated
from storegate_redis.metrics import WriteGate, families


def open_cache(config: RedisConfig, context: PluginContext) -> RedisCache:
    """Factory of the provider REDIS. Connects to nothing. Raises ConfigurationError for TLS files and combinations
    of settings that cannot be used.
    """
    where = f"{context.role or 'cache'}: REDIS"
    if config.cache_size:
        context.log.warning("cache_size has no effect: values are not kept a second time in this process", where=where)
    logging.getLogger("redis").setLevel(logging.CRITICAL)  # storegate says what fails, once
    gate = WriteGate(config.max_set_multi_concurrency, families(context.registry), context.role or "default")
    return RedisCache(ClientFactory(config, where), config, gate)


def limits_of(config: RedisConfig) -> CacheLimits:
    """How storegate is to call this cache."""
    return CacheLimits(
        timeout=config.read_timeout,
        get_batch_size=config.get_multi_batch_size,
        set_batch_size=config.set_multi_batch_size,
        metrics="redis",
        **config.limits(),
    )


class RedisCache:
    """Values under `prefix` and key, with a lifetime in milliseconds. Thread-safe.

    Raises DeadlineError, UnavailableError, DeniedError and StoregateError. What `addr` names is connected to when it is
    needed; a single server that turns out to belong to a cluster is used as such from then on.
    """

    def __init__(self, factory: ClientFactory, config: RedisConfig, gate: WriteGate) -> None:
        self.limits = limits_of(config)
        self._factory = factory
        self._addr = config.addr
        self._prefix = config.prefix
        self._gate = gate
        self._lock = threading.Lock()
        self._kind: Kind = factory.kind
        self._clients: Clients | None = None

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `storegate.Cache.get_many`."""
        if not keys:
            return {}
        names = [self._name(key) for key in keys]
        try:
            try:
                values = self._read(names)
            except ResponseError as error:
                self._use_cluster(error)
                values = self._read(names)
        except FAILURES as error:
            raise self._failed(error) from error
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        """See `storegate.Cache.set_many`."""
        if not items:
            return
        try:
            with self._gate.turn():
                try:
                    self._write(items, ttl)
                except ResponseError as error:
                    self._use_cluster(error)
                    self._write(items, ttl)
        except FAILURES as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """See `storegate.Cache.close`."""
        with self._lock:
            clients, self._clients = self._clients, None
        if clients is not None:
            clients.close()

    def _read(self, names: list[bytes]) -> list[bytes | None]:
        clients = self._connected()
        if self._kind != "cluster":
            return list(clients.reader.mget(names))
        pipeline = clients.reader.pipeline()  # MGET would need all keys in one slot
        for name in names:
            pipeline.get(name)
        return list(_executed(pipeline))

    def _write(self, items: Mapping[str, bytes], ttl: float) -> None:
        clients = self._connected()
        pipeline = clients.writer.pipeline(transaction=False) if self._kind != "cluster" else clients.writer.pipeline()
        millis = max(int(ttl * 1000), 1)
        for key, value in items.items():
            pipeline.set(self._name(key), value, px=millis)
        _executed(pipeline)

    def _name(self, key: str) -> bytes:
        return (self._prefix + key).encode("utf-8", "surrogatepass")

    def _connected(self) -> Clients:
        with self._lock:
            if self._clients is None:
                self._clients = self._factory.make(self._kind)
            return self._clients

    def _failed(self, error: Exception) -> StoregateError:
        """What to raise for an error of redis-py."""
        clients = self._clients
        if clients is not None and not isinstance(error, ResponseError):
            clients.forget_idle()
        return translated(error, self._addr)

    def _use_cluster(self, error: ResponseError) -> None:
        """From now on, if that is what this error of a single server says; else raise it."""
        if self._kind == "sentinel" or not (isinstance(error, MovedError) or "to the same slot" in str(error)):
            raise error
        with self._lock:
            if self._kind == "cluster":
                return
            clients, of_server = self._factory.make("cluster"), self._clients
            self._kind, self._clients = "cluster", clients
        if of_server is not None:
            of_server.forget_idle()


def _executed(pipeline: Any) -> list[Any]:
    """The answers. Raises the first error among them as it came: redis-py would add the command with its value."""
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers
