"""From an entry point to checked providers. Whatever a plugin does wrong ends as one sentence about that plugin."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import pluggy
from pydantic import BaseModel

from storegate import hookspecs
from storegate.config.validation import suggestion
from storegate.plugin_sources import PluginSource
from storegate.types import (
    API_VERSION,
    CacheProvider,
    FrontendProvider,
    MetaFilterProvider,
    ObjectStoreProvider,
    ObserverProvider,
    PartitionerProvider,
    Provider,
)

KINDS: dict[str, tuple[str, type[Provider]]] = {
    "object_store": ("storegate_object_stores", ObjectStoreProvider),
    "cache": ("storegate_caches", CacheProvider),
    "meta_filter": ("storegate_meta_filters", MetaFilterProvider),
    "partitioner": ("storegate_partitioners", PartitionerProvider),
    "frontend": ("storegate_frontends", FrontendProvider),
    "observer": ("storegate_observers", ObserverProvider),
}
"""kind -> (hook, record that the hook yields)"""

MEMBERS: dict[str, tuple[str, ...]] = {
    "object_store": ("name", "writable", "list", "head", "get", "get_range", "put", "delete", "close"),
    "cache": ("get_many", "set_many", "close"),
    "meta_filter": ("select",),
    "partitioner": ("partition",),
    "frontend": ("address", "start", "stop"),
    "observer": ("block_loaded", "block_dropped", "query_finished"),
}
"""kind -> what must be there of what a factory returns (`storegate.types`)"""

HOOKS = {hook: kind for kind, (hook, _) in KINDS.items()}
_API = re.compile(r"[0-9]+\.[0-9]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedProvider:
    """A provider, and the plugin that it came from."""

    kind: str
    provider: Provider
    source: PluginSource

    @property
    def name(self) -> str:
        return self.provider.name

    @property
    def label(self) -> str:
        """`NAME of distribution version`, as messages name it."""
        return f"{self.name} of {self.source.origin}"


class _BrokenPluginError(Exception):
    """What is wrong with a plugin, as one sentence."""


def load_plugin(
    host: pluggy.PluginManager, entry: metadata.EntryPoint, source: PluginSource
) -> tuple[PluginSource, list[LoadedProvider]]:
    """Import a plugin, register it with the host, call its hooks, check what they yield. Raises nothing."""
    providers: list[LoadedProvider] = []
    started = time.perf_counter()
    seconds = 0.0
    plugin = None
    try:
        plugin = _import(entry)
        seconds = time.perf_counter() - started
        _register(host, plugin, f"{source.name}@{source.distribution}")
        for provider in _call_hooks(host, plugin):
            providers.append(LoadedProvider(kind=provider[0], provider=provider[1], source=source))
    except _BrokenPluginError as error:
        if plugin is not None and host.is_registered(plugin):
            host.unregister(plugin)
        broken = replace(source, state="broken", reason=str(error), import_seconds=seconds, offered=_names(providers))
        return broken, []
    loaded = replace(source, state="loaded", import_seconds=seconds, offered=_names(providers))
    return loaded, [replace(provider, source=loaded) for provider in providers]


def _import(entry: metadata.EntryPoint) -> Any:
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        raise _BrokenPluginError(f"import of {entry.value} failed: {describe(error)}") from error


def _register(host: pluggy.PluginManager, plugin: Any, name: str) -> None:
    """Register the plugin, and refuse a misspelt or unmarked hook, which pluggy would pass over in silence."""
    try:
        host.register(plugin, name=name)
    except (pluggy.PluginValidationError, ValueError) as error:
        raise _BrokenPluginError(f"registration failed: {describe(error)}") from error
    callers = host.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.has_spec():
            hint = suggestion(caller.name, HOOKS) or f" (hooks: {', '.join(HOOKS)})"
            raise _BrokenPluginError(f"{caller.name} is no hook of storegate{hint}")
    marked = {caller.name for caller in callers}
    for hook in HOOKS:
        if hook not in marked and callable(getattr(plugin, hook, None)):
            raise _BrokenPluginError(f"{hook} lacks the marker @storegate.hookimpl")
    if not marked:
        raise _BrokenPluginError(f"implements no hook (hooks: {', '.join(HOOKS)})")


def _call_hooks(host: pluggy.PluginManager, plugin: Any) -> Iterator[tuple[str, Provider]]:
    others = [other for other in host.get_plugins() if other is not plugin]
    seen = set()
    for kind, (hook, record) in KINDS.items():
        for answer in _guarded(hook, host.subset_hook_caller(hook, others)):
            if isinstance(answer, str | bytes | Provider) or not isinstance(answer, Iterable):
                raise _BrokenPluginError(f"{hook} must yield {record.__name__} records, not return {_kind_of(answer)}")
            for provider in _guarded(hook, lambda answer=answer: answer):
                check_provider(provider, hook, record)
                if (kind, provider.name.casefold()) in seen:
                    raise _BrokenPluginError(f"{hook} yields {provider.name} twice")
                seen.add((kind, provider.name.casefold()))
                yield kind, provider


def _guarded(hook: str, call: Any) -> Iterator[Any]:
    """What a hook's answer holds; an exception on the way is the plugin's."""
    try:
        yield from call()
    except (Exception, SystemExit) as error:
        raise _BrokenPluginError(f"{hook} failed: {describe(error)}") from error


def check_provider(provider: Any, hook: str, record: type[Provider]) -> None:
    """Raise unless the provider is a record of the right kind with sound fields."""
    if not isinstance(provider, record):
        raise _BrokenPluginError(f"{hook} must yield {record.__name__} records, not {_kind_of(provider)}")
    name = provider.name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _BrokenPluginError(f"{hook} yields a provider named {name!r}: use letters, digits, '.', '_' and '-'")
    _check_api(provider)
    if not (inspect.isclass(provider.config) and issubclass(provider.config, BaseModel)):
        raise _BrokenPluginError(f"{name}: config must be a pydantic model class, not {_kind_of(provider.config)}")
    if provider.config.model_config.get("extra") != "forbid":
        raise _BrokenPluginError(f'{name}: config model {provider.config.__name__} must set extra="forbid"')
    if not isinstance(provider.factory, str) or not _FACTORY.fullmatch(provider.factory):
        raise _BrokenPluginError(f"{name}: factory {provider.factory!r} must be an import string 'module:callable'")

    _check_fields(provider)


def _check_fields(provider: Provider) -> None:
    """The fields that are text, or that one kind has."""
    name = provider.name
    if not isinstance(provider.summary, str) or "\n" in provider.summary:
        raise _BrokenPluginError(f"{name}: summary must be one line of text")
    if isinstance(provider, MetaFilterProvider):
        states = provider.states
        if not isinstance(states, tuple) or not all(isinstance(state, str) and state for state in states):
            raise _BrokenPluginError(f"{name}: states must be a tuple of words, not {_kind_of(states)}")
    if isinstance(provider, FrontendProvider) and not isinstance(provider.early, bool):
        raise _BrokenPluginError(f"{name}: early must be True or False, not {_kind_of(provider.early)}")


def missing_members(kind: str, made: Any) -> list[str]:
    """What the object that a factory returned lacks of what its kind must have."""
    return [member for member in MEMBERS[kind] if not hasattr(made, member)]


def _check_api(provider: Provider) -> None:
    """The same major version, and no newer minor one: a plugin may use what its version of the API has."""
    if not isinstance(provider.api, str) or not _API.fullmatch(provider.api):
        raise _BrokenPluginError(
            f'{provider.name}: api {provider.api!r} must be a plugin API version as text, such as "{API_VERSION}"'
        )
    theirs, ours = _version(provider.api), _version(API_VERSION)
    if theirs[0] == ours[0] and theirs <= ours:
        return
    fix = "upgrade storegate" if theirs > ours else "install a version of the plugin for it"
    raise _BrokenPluginError(
        f"{provider.name} is written for plugin API {provider.api}, this storegate has {API_VERSION}: {fix}"
    )


def _version(api: str) -> tuple[int, int]:
    major, _, minor = api.partition(".")
    return int(major), int(minor)


def describe(error: BaseException) -> str:
    """An exception on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def new_host() -> pluggy.PluginManager:
    """A pluggy manager that knows the hooks and no plugin."""
    host = pluggy.PluginManager("storegate")
    host.add_hookspecs(hookspecs)
    return host


def _kind_of(value: Any) -> str:
    return f"the class {value.__name__}" if inspect.isclass(value) else f"a {type(value).__name__}"


def _names(providers: Iterable[LoadedProvider]) -> dict[str, tuple[str, ...]]:
    offered: dict[str, tuple[str, ...]] = {}
    for loaded in providers:
        offered[loaded.kind] = (*offered.get(loaded.kind, ()), loaded.name)
    return offered
