"""The JSON schema of the settings, in which each place of the pipeline knows the installed plugins that can fill it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from storegate.config.masking import KINDS
from storegate.config.settings import Settings
from storegate.plugin_report import config_schema

if TYPE_CHECKING:
    from storegate.manager import PluginManager

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HERE = "#/$defs/"
Schema = dict[str, Any]


def settings_schema(plugins: PluginManager) -> Schema:
    """The schema of a whole storegate.yml; `config` of a reference depends on its `type`. Raises nothing."""
    schema = config_schema(Settings)
    models: Schema = schema["$defs"]
    for name, kind in KINDS.items():
        place: Schema = schema["properties"][name]
        model = _model_of(place)
        models[name] = _with_providers(copy.deepcopy(models[model]), kind, plugins, models)
        schema["properties"][name] = _renamed(place, {model: name})
    used = _used(schema["properties"], models, set())
    schema["$defs"] = {name: models[name] for name in sorted(used)}
    return {"$schema": DIALECT, "title": "storegate.yml", **{k: v for k, v in schema.items() if k != "title"}}


def _with_providers(reference: Schema, kind: str, plugins: PluginManager, models: Schema) -> Schema:
    """A reference whose `type` is one of the providers', and whose `config` is what that provider takes."""
    patterns, cases = {}, []
    rivals = plugins.conflicts(kind)
    for loaded in plugins.providers(kind):
        contested = loaded.name.casefold() in rivals
        name = f"{loaded.name}@{loaded.source.distribution}" if contested else loaded.name
        patterns[name] = _pattern(name) if contested else _pattern(name).replace("$", "(@.+)?$")
        prefix = f"{kind}.{name}."
        config = config_schema(loaded.provider.config)
        nested = config.pop("$defs", {})
        names = {own: prefix + own for own in nested}
        models |= {prefix + own: _renamed(model, names) for own, model in nested.items()}
        models[prefix + "config"] = {**_renamed(config, names), "description": loaded.provider.summary}
        needed = {} if not config.get("required") else {"required": ["config"]}
        then = {"properties": {"config": _or_null({"$ref": f"{_HERE}{prefix}config"}, needed)}, **needed}
        given = {"properties": {"type": {"pattern": patterns[name]}}, "required": ["type"]}
        cases.append({"if": given, "then": then})
    known = {"anyOf": [{"enum": list(patterns)}, *({"pattern": pattern} for pattern in patterns.values())]}
    reference["properties"]["type"] |= known
    reference["properties"]["config"] = {"description": reference["properties"]["config"]["description"]}
    return reference | {"allOf": cases}


def _or_null(config: Schema, needed: Schema) -> Schema:
    return config if needed else {"anyOf": [config, {"type": "null"}]}


def _pattern(name: str) -> str:
    """A name in any case; JSON schema has no flag for that."""
    letters = (f"[{c.upper()}{c.lower()}]" if c.isalpha() else f"\\{c}" if c in ".+" else c for c in name)
    return f"^{''.join(letters)}$"


def _model_of(place: Schema) -> str:
    """The model that a setting refers to, directly, in a list, or beside null."""
    (name,) = set(_references(place))
    return name


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"].removeprefix(_HERE)] if isinstance(part.get("$ref"), str) else []
        return own + [name for value in part.values() for name in _references(value)]
    return [name for item in part for name in _references(item)] if isinstance(part, list) else []


def _renamed(part: Any, names: dict[str, str]) -> Any:
    """The same with references to models under other names."""
    if isinstance(part, dict):
        made = {key: _renamed(value, names) for key, value in part.items()}
        if isinstance(part.get("$ref"), str):
            name = part["$ref"].removeprefix(_HERE)
            made["$ref"] = _HERE + names.get(name, name)
        return made
    return [_renamed(item, names) for item in part] if isinstance(part, list) else part


def _used(part: Any, models: Schema, seen: set[str]) -> set[str]:
    for name in _references(part):
        if name not in seen:
            seen.add(name)
            _used(models[name], models, seen)
    return seen
