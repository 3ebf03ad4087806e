"""What is installed, what of it is in use and why: the data of `storegate plugins` and of `/api/v1/plugins`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from storegate.config.settings import Settings
from storegate.config.validation import check
from storegate.errors import StoregateError
from storegate.manager import KINDS, SLOW_IMPORT_SECONDS, LoadedProvider, PluginManager
from storegate.plugin_places import Place, chosen, places, rule
from storegate.plugin_sources import SAFE_MODE_REASON, PluginSource, install_hint
from storegate.safe_mode import settings_in_force
from storegate.types import API_VERSION


def plugin_report(settings: Settings, plugins: PluginManager) -> dict[str, Any]:
    """All of it as plain data, fit for JSON. It holds no value of a setting, so no secret. Raises nothing.

    `providers` has an entry for each provider, and one for each plugin that gave none; `pipeline` one for each place.
    """
    in_force, changes = settings_in_force(settings, plugins)
    found = places(in_force, changes)
    return {
        "api": API_VERSION,
        "safeMode": settings.plugins.safe_mode,
        "providers": provider_entries(plugins, found),
        "pipeline": [place_entry(plugins, place) for place in found],
    }


def provider_entries(plugins: PluginManager, found: Iterable[Place] = ()) -> list[dict[str, Any]]:
    """Providers by kind, then what broken and disabled plugins would offer, as far as that is known."""
    used: dict[int, list[str]] = {}
    for place in found:
        loaded, _ = chosen(plugins, place)
        if loaded is not None:
            used.setdefault(id(loaded), []).append(place.setting)
    entries = [
        _provider_entry(plugins, loaded, used.get(id(loaded), []))
        for kind in KINDS
        for loaded in plugins.providers(kind)
    ]
    for source in plugins.sources():
        if source.state != "loaded":
            offered = [(kind, name) for kind, names in source.offered.items() for name in names]
            entries += [_absent_entry(source, kind, name) for kind, name in offered or [("", "")]]
    return entries


def place_entry(plugins: PluginManager, place: Place) -> dict[str, Any]:
    """What is in a place, who provides it, and why."""
    loaded, problem = chosen(plugins, place)
    entry: dict[str, Any] = {
        "place": place.setting,
        "kind": place.kind,
        "type": place.ref.type if place.ref else "",
        "provider": loaded.name if loaded else "",
        "distribution": loaded.source.distribution if loaded else "",
        "version": loaded.source.version if loaded else "",
        "why": place.why,
        "problem": problem,
    }
    if loaded is not None and place.ref is not None:
        if chosen_by := rule(plugins, place, loaded):
            entry["why"] += f"; {chosen_by}"
        try:
            check(loaded.provider.config, place.ref.config, path=f"{place.setting}.config")
        except StoregateError as error:
            entry["problem"] = str(error)
    return entry


def config_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a provider's settings, defaults included; empty for a model that has none."""
    try:
        return model.model_json_schema(schema_generator=_QuietSchema)
    except Exception:  # a model may hold types that JSON schema cannot express
        return {}


class _QuietSchema(GenerateJsonSchema):
    """Passes over defaults that are no JSON, such as secrets, without a warning."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as in the base class


def _provider_entry(plugins: PluginManager, loaded: LoadedProvider, used_in: list[str]) -> dict[str, Any]:
    rivals = plugins.conflicts(loaded.kind).get(loaded.name.casefold(), ())
    others = " and ".join(rival.source.origin for rival in rivals if rival is not loaded)
    cause, fix, seconds = "", "", loaded.source.import_seconds
    if others:
        cause, fix = f"{others} provides it too", f"write {loaded.name}@{loaded.source.distribution}"
    elif seconds > SLOW_IMPORT_SECONDS:
        cause, fix = f"its import takes {seconds:.1f} s", "import SDKs in the modules of factories alone"
    state = "active" if used_in else "conflict" if others else "available"
    more = {"usedIn": used_in, "summary": loaded.provider.summary, "api": loaded.provider.api}
    schema = {"factory": loaded.provider.factory, "configSchema": config_schema(loaded.provider.config)}
    return _entry(loaded.source, loaded.kind, loaded.name, state, cause, fix) | more | schema


def _absent_entry(source: PluginSource, kind: str, name: str) -> dict[str, Any]:
    if source.state == "broken":
        fix = install_hint(source)
    elif source.reason == SAFE_MODE_REASON:
        fix = "start without --plugins.safe-mode"
    else:
        fix = "change that list"
    nothing: dict[str, Any] = {"usedIn": [], "summary": "", "api": "", "factory": "", "configSchema": {}}
    return _entry(source, kind, name, source.state, source.reason, fix) | nothing


def _entry(source: PluginSource, kind: str, name: str, state: str, cause: str, fix: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "state": state,
        "plugin": source.name,
        "module": source.module,
        "distribution": source.distribution,
        "version": source.version,
        "builtIn": source.builtin,
        "importSeconds": round(source.import_seconds, 6),
        "cause": cause,
        "fix": fix,
    }
