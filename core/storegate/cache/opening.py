"""The caches of a configuration: the plugin's cache, protected, with the policy of the place that it fills."""

from __future__ import annotations

from hashlib import blake2b

from prometheus_client import CollectorRegistry

from storegate.cache.bucket import CachingBucket
from storegate.cache.bucket_metrics import CachingBucketMetrics
from storegate.cache.guard import GuardedCache, is_local
from storegate.cache.index_cache import IndexCache, IndexCacheMetrics
from storegate.config.settings import CachingBucketRef, IndexCacheRef
from storegate.manager import PluginManager
from storegate.measured import MeasuredCache
from storegate.objstore import identity_of
from storegate.plugin_calls import plugin_calls
from storegate.types import Cache, ObjectStore


def bucket_namespace(plugins: PluginManager, store_type: str, store: ObjectStore) -> str:
    """A short text that every gateway over this bucket and prefix has, and no other. It holds no secret."""
    provider = plugins.get("object_store", store_type, where="object_store").provider.name.casefold()
    return blake2b(f"{provider}\0{identity_of(store)}".encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def open_index_cache(
    plugins: PluginManager, ref: IndexCacheRef, registry: CollectorRegistry, *, namespace: str
) -> IndexCache:
    """The index cache that `ref` describes. Raises PluginError, ConfigurationError, or what the plugin raises."""
    cache = _open(plugins, ref, registry, "index-cache")
    return IndexCache(cache, ref.enabled_items, ref.ttl, IndexCacheMetrics(registry), namespace=namespace)


def open_caching_bucket(
    plugins: PluginManager, ref: CachingBucketRef, store: ObjectStore, registry: CollectorRegistry, *, namespace: str
) -> CachingBucket:
    """`store` behind the cache that `ref` describes. Raises as `open_index_cache` does."""
    cache = _open(plugins, ref, registry, "caching-bucket")
    return CachingBucket(store, cache, ref, CachingBucketMetrics(registry), namespace=namespace)


def _open(
    plugins: PluginManager, ref: IndexCacheRef | CachingBucketRef, registry: CollectorRegistry, role: str
) -> Cache:
    cache: Cache = plugins.create("cache", ref, {"registry": registry, "role": role})
    provider = plugins.get("cache", ref.type, where=role.replace("-", "_")).provider
    calls = plugin_calls(registry)
    if is_local(cache):
        return MeasuredCache(cache, calls.meter("cache", provider.name))
    protected = GuardedCache(cache, name=role, registry=registry)
    calls.derive("cache", provider.name, protected.totals)
    return protected
