"""The plugin host: finds plugins, loads them in isolation, remembers where each came from, creates what they provide.

Loading happens once, at startup. A plugin that cannot load is listed and passed over; it stops the start only when the
configuration needs it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

import pluggy
import structlog
from prometheus_client import CollectorRegistry, Gauge

from storegate.config.settings import ComponentRef, PluginSettings
from storegate.config.validation import check, suggestion
from storegate.errors import PluginError, StoregateError
from storegate.plugin_loading import KINDS, LoadedProvider, describe, load_plugin, missing_members, new_host
from storegate.plugin_sources import (
    SAFE_MODE_REASON,
    PluginSource,
    canonical,
    find_sources,
    install_hint,
    reason_to_skip,
)
from storegate.types import PluginContext

GROUP = "storegate"
SLOW_IMPORT_SECONDS = 0.5
"""A plugin whose import takes longer is named in the log: it holds up every start, and every listing of plugins."""
_REINSTALL = (
    "no built-in plugin is installed, so the installation is incomplete: run 'python -m pip install .' again "
    "(in a checkout 'python -m pip install -e .')"
)

__all__ = ["GROUP", "KINDS", "LoadedProvider", "PluginManager", "PluginSource"]


class PluginManager:
    """Providers by kind and name. Immutable after `load`, so threads may share it."""

    def __init__(self, sources: Iterable[PluginSource], providers: Iterable[LoadedProvider]) -> None:
        self._sources = tuple(sources)
        self._providers: dict[str, list[LoadedProvider]] = {kind: [] for kind in KINDS}
        for loaded in providers:
            self._providers[loaded.kind].append(loaded)
        self._registry = CollectorRegistry()

    @classmethod
    def load(
        cls,
        disable: Iterable[str] = (),
        allow: Iterable[str] | None = None,
        group: str = GROUP,
        *,
        safe_mode: bool = False,
    ) -> PluginManager:
        """Load what is installed and what the lists, and their environment variables, let in.

        `safe_mode` lets built-ins in alone.

        Raises nothing for a broken plugin: see `broken`, and `get` for one that is needed.
        """
        host: pluggy.PluginManager = new_host()
        disable, allow = tuple(disable), None if allow is None else tuple(allow)
        sources: list[PluginSource] = []
        providers: list[LoadedProvider] = []
        for entry, found in find_sources(group):
            if reason := reason_to_skip(found, disable, allow, safe_mode=safe_mode):
                sources.append(found.with_state("disabled", reason))
                continue
            source, loaded = load_plugin(host, entry, found)
            sources.append(source)
            providers.extend(loaded)
        host.check_pending()
        return cls(sources, providers)

    @classmethod
    def load_for(cls, settings: PluginSettings) -> PluginManager:
        """As `load`, by the settings under `plugins`."""
        return cls.load(settings.disable, settings.allow, safe_mode=settings.safe_mode)

    def sources(self) -> tuple[PluginSource, ...]:
        """Every plugin that was found, loaded or not."""
        return self._sources

    @property
    def broken(self) -> tuple[PluginSource, ...]:
        """The plugins that could not load, each with its reason."""
        return tuple(source for source in self._sources if source.state == "broken")

    @property
    def slow(self) -> tuple[PluginSource, ...]:
        """The plugins whose import took longer than `SLOW_IMPORT_SECONDS`."""
        return tuple(source for source in self._sources if source.import_seconds > SLOW_IMPORT_SECONDS)

    def troubles(self) -> list[tuple[PluginSource, str]]:
        """What an operator ought to hear at the start, one sentence with a fix for each plugin that has a trouble."""
        found = [
            (source, f"could not load and is passed over: {source.reason}; {install_hint(source)}")
            for source in self.broken
        ]
        for source in self.slow:
            text = f"took {source.import_seconds:.1f} s to import: an SDK belongs in the module of a factory, which "
            found.append((source, text + "is imported when it is used"))
        for kind in KINDS:
            for group in self.conflicts(kind).values():
                found.append((group[-1].source, _conflict(kind, group[0].name, list(group))))
        return found

    def count_in(self, registry: CollectorRegistry) -> None:
        """Register the metrics `storegate_plugins`, `storegate_plugin_info`, `storegate_plugin_import_seconds`."""
        gauge = Gauge(
            "storegate_plugins", "Plugins that were found, by what became of them", ["state"], registry=registry
        )
        for state in ("loaded", "disabled", "broken"):
            gauge.labels(state).set(sum(source.state == state for source in self._sources))
        labels = ["plugin", "distribution", "version", "state"]
        info = Gauge("storegate_plugin_info", "1 for each plugin that was found", labels, registry=registry)
        seconds = Gauge(
            "storegate_plugin_import_seconds",
            "Time that the import of a plugin took",
            ["plugin", "distribution"],
            registry=registry,
        )
        for source in self._sources:
            info.labels(source.name, source.distribution, source.version, source.state).set(1)
            seconds.labels(source.name, source.distribution).set(source.import_seconds)

    def providers(self, kind: str) -> tuple[LoadedProvider, ...]:
        """All providers of a kind, conflicting ones included."""
        return tuple(self._providers[kind])

    def conflicts(self, kind: str) -> dict[str, tuple[LoadedProvider, ...]]:
        """Names (folded) that more than one plugin provides."""
        by_name: dict[str, list[LoadedProvider]] = {}
        for loaded in self._providers[kind]:
            by_name.setdefault(loaded.name.casefold(), []).append(loaded)
        return {name: tuple(group) for name, group in by_name.items() if len(group) > 1}

    def get(self, kind: str, name: str, *, where: str = "") -> LoadedProvider:
        """The provider that `type: name` means; `NAME@DISTRIBUTION` chooses between two of one name.

        Raises PluginError, which `where` (the path of the setting) opens.
        """
        place = f"{where}.type: " if where else ""
        plain, _, distribution = name.partition("@")
        matching = [loaded for loaded in self._providers[kind] if loaded.name.casefold() == plain.casefold()]
        chosen = [
            loaded
            for loaded in matching
            if not distribution or canonical(loaded.source.distribution) == canonical(distribution)
        ]
        if len(chosen) == 1:
            return chosen[0]
        if len(chosen) > 1:
            raise PluginError(place + _conflict(kind, plain, chosen))
        raise PluginError(place + self._missing(kind, name, matching))

    def create(self, kind: str, ref: ComponentRef, context: Mapping[str, Any] | None = None, *, where: str = "") -> Any:
        """The object that the provider's factory returns for this reference.

        `context` fills PluginContext (`log`, `registry`, `role`); `where` is the path of the setting, by default the
        role or the kind. Raises PluginError, ConfigurationError, or what the factory raises of `storegate.errors`.
        """
        extra = dict(context or {})
        where = where or str(extra.get("role") or kind).replace("-", "_")
        loaded = self.get(kind, ref.type, where=where)
        config = check(loaded.provider.config, ref.config, path=f"{where}.config")
        extra.setdefault("log", structlog.get_logger(component=loaded.name))
        extra.setdefault("registry", self._registry)
        factory = _import_factory(loaded, where)
        try:
            made = factory(config, PluginContext(name=loaded.name, **extra))
        except StoregateError:
            raise
        except ImportError as error:
            raise _unusable(loaded, where, error) from error
        except Exception as error:
            raise PluginError(f"{where}: {loaded.label} could not be opened: {describe(error)}") from error
        if lacks := missing_members(kind, made):
            raise PluginError(
                f"{where}: what {loaded.label} made is no {kind.replace('_', ' ')}, for it lacks {', '.join(lacks)}: "
                "install a version of the plugin that is mended"
            )
        return made

    def check_usable(self, kind: str, ref: ComponentRef, *, where: str) -> LoadedProvider:
        """As far as `create` goes without calling the factory, whose module it imports. Raises as `create` does."""
        loaded = self.get(kind, ref.type, where=where)
        check(loaded.provider.config, ref.config, path=f"{where}.config")
        _import_factory(loaded, where)
        return loaded

    def _missing(self, kind: str, name: str, namesakes: list[LoadedProvider]) -> str:
        """Why no provider answers to the name, and what to do."""
        kind_text = kind.replace("_", " ")
        if namesakes:
            origins = " and ".join(loaded.source.origin for loaded in namesakes)
            return f"no {kind_text} {name!r}: {namesakes[0].name} is provided by {origins}"
        if not any(source.builtin for source in self._sources):
            return f"no {kind_text} {name!r}: {_REINSTALL}"
        plain = name.partition("@")[0]
        for source in self._sources:
            offered = {provided.casefold() for provided in source.offered.get(kind, ())}
            if source.state != "loaded" and (source.name.casefold() == plain.casefold() or plain.casefold() in offered):
                return _not_loaded(source, f"{kind_text} {name!r}")
        available = sorted({loaded.name for loaded in self._providers[kind]}, key=str.casefold)
        hint = suggestion(plain, available)
        text = f"no {kind_text} {name!r}{hint}" + f" (available: {', '.join(available) or 'none'})"
        if left_out := [source for source in self._sources if source.reason == SAFE_MODE_REASON]:
            text += "; plugins.safe_mode (--plugins.safe-mode) leaves out " + ", ".join(
                f"{source.name} ({source.origin})" for source in left_out
            )
        if self.broken:
            text += "; plugins that could not load: " + "; ".join(
                f"{source.name} ({source.origin}): {source.reason}" for source in self.broken
            )
        return text


def _import_factory(loaded: LoadedProvider, where: str) -> Any:
    module, _, path = loaded.provider.factory.partition(":")
    try:
        target: Any = importlib.import_module(module)
        for part in path.split("."):
            target = getattr(target, part)
    except (Exception, SystemExit) as error:
        raise _unusable(loaded, where, error) from error
    return target


def _unusable(loaded: LoadedProvider, where: str, error: BaseException) -> PluginError:
    return PluginError(f"{where}: {loaded.label} cannot be used: {describe(error)}; {install_hint(loaded.source)}")


def _not_loaded(source: PluginSource, what: str) -> str:
    if source.state == "disabled":
        fix = "start without --plugins.safe-mode" if source.reason == SAFE_MODE_REASON else "let it in"
        return f"{what} needs the plugin {source.name} of {source.origin}, which is {source.reason}: {fix}"
    return (
        f"{what} needs the plugin {source.name} of {source.origin}, which could not load: {source.reason}; "
        f"{install_hint(source)}"
    )


def _conflict(kind: str, name: str, candidates: list[LoadedProvider]) -> str:
    origins = " and ".join(loaded.source.origin for loaded in candidates)
    distributions = sorted({loaded.source.distribution for loaded in candidates})
    text = f"{kind.replace('_', ' ')} {name!r} is provided by {origins}: "
    if len(distributions) > 1:
        return text + "write " + " or ".join(f"'{name}@{distribution}'" for distribution in distributions)
    return text + f"disable one of the plugins {', '.join(loaded.source.name for loaded in candidates)}"
