"""The places of the pipeline that plugins fill, and why each is filled as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from storegate.config.masking import KINDS
from storegate.config.settings import ComponentRef, Settings
from storegate.errors import StoregateError
from storegate.manager import LoadedProvider, PluginManager

NOT_CONFIGURED = "not configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place. `ref` is None where nothing was asked for; `why` is a sentence about the reference."""

    kind: str
    setting: str  # path, such as `meta_filters[1]`
    ref: ComponentRef | None
    why: str


def places(settings: Settings, changes: Mapping[str, str] | None = None) -> list[Place]:
    """Every place, in the order in which data passes them. `changes` are those of safe mode, by setting."""
    found = []
    for name, kind in KINDS.items():
        value, why = getattr(settings, name), _why(settings, name, (changes or {}).get(name, ""))
        if isinstance(value, tuple):
            found += [Place(kind=kind, setting=f"{name}[{i}]", ref=ref, why=why) for i, ref in enumerate(value)]
        else:
            found.append(Place(kind=kind, setting=name, ref=value, why=why))
        if value == ():
            found.append(Place(kind=kind, setting=name, ref=None, why=why))
    return found


def chosen(plugins: PluginManager, place: Place) -> tuple[LoadedProvider | None, str]:
    """The provider in a place, or None and what is wrong with it; (None, "") for a place that is left empty."""
    if place.ref is None:
        return None, ""
    try:
        return plugins.get(place.kind, place.ref.type, where=place.setting), ""
    except StoregateError as error:
        return None, str(error)


def rule(plugins: PluginManager, place: Place, loaded: LoadedProvider) -> str:
    """The rule that chose between plugins of one name; empty when there was no choice."""
    rivals = plugins.conflicts(place.kind).get(loaded.name.casefold(), ())
    others = " and ".join(rival.source.origin for rival in rivals if rival is not loaded)
    return f"chosen by @{loaded.source.distribution}: {others} provides {loaded.name} too" if others else ""


def _why(settings: Settings, name: str, change: str) -> str:
    if change:
        return change
    if name not in settings.model_fields_set:
        return NOT_CONFIGURED if getattr(settings, name) in (None, ()) else f"default: {name} is not given"
    if getattr(settings, name) in (None, ()):
        return f"configuration: {name} is empty"
    field = Settings.model_fields[name]
    same = not field.is_required() and _types(getattr(settings, name)) == _types(field.get_default())
    return f"configuration: {name}" + (", of the type that is the default too" if same else "")


def _types(value: ComponentRef | tuple[ComponentRef, ...] | None) -> list[str]:
    refs = value if isinstance(value, tuple) else () if value is None else (value,)
    return [ref.type.casefold() for ref in refs]
