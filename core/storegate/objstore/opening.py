"""Opening the bucket of a configuration: the plugin's store, wrapped as every store is."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from storegate.config.settings import ObjectStoreRef
from storegate.manager import PluginManager
from storegate.objstore.instrumented import InstrumentedStore, ObjstoreMetrics
from storegate.objstore.prefix import with_prefix
from storegate.objstore.read_into import ReadableStore
from storegate.objstore.resilience_metrics import ResilienceMetrics
from storegate.objstore.resilient import ResilientStore
from storegate.objstore.retries import RetryPolicy
from storegate.plugin_calls import plugin_calls
from storegate.types import ObjectStore


def open_store(plugins: PluginManager, ref: ObjectStoreRef, registry: CollectorRegistry) -> ReadableStore:
    """The bucket that `ref` names. Raises PluginError, ConfigurationError, or what the plugin raises."""
    store: ObjectStore = plugins.create("object_store", ref, {"registry": registry, "role": "object-store"})
    opened = wrapped(store, ref, registry)
    provider = plugins.get("object_store", ref.type, where="object_store").provider
    plugin_calls(registry).derive("object_store", provider.name, opened.totals)
    return opened


def wrapped(store: ObjectStore, ref: ObjectStoreRef, registry: CollectorRegistry) -> InstrumentedStore:
    """Any store with what all get, innermost first: lengths checked, pacing and retries, the prefix, metrics.

    A registry holds the metrics of one store.
    """
    attempts: int = getattr(store, "max_retries", 0)
    policy = RetryPolicy(attempts) if attempts else RetryPolicy()
    chain: ObjectStore = ResilientStore(store, policy, ResilienceMetrics(registry), ref.hedging_config)
    return InstrumentedStore(with_prefix(chain, ref.prefix), ObjstoreMetrics(registry))
