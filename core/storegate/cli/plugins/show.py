"""`storegate plugins show`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from storegate.cli.plugins.options import HELP, options, subject, table
from storegate.config.validation import suggestion
from storegate.errors import PluginError
from storegate.plugin_report import plugin_report

FACTS = ("kind", "state", "plugin", "module", "distribution", "version", "api", "factory", "cause", "fix")


def _show(name: str, as_json: bool, **values: Any) -> int:
    """Show all about the providers called NAME, or of the plugin or distribution NAME, with their settings."""
    entries = plugin_report(*subject(values))["providers"]
    named = [entry for entry in entries if name.casefold() in _names(entry)]
    if not named:
        known = {str(entry["name"] or entry["plugin"]) for entry in entries}
        hint = suggestion(name, known) or ": 'storegate plugins list' shows what there is"
        raise PluginError(f"no provider, plugin or distribution {name!r}{hint}")
    if as_json:
        click.echo(json.dumps(named, indent=2))
    else:
        click.echo("\n\n".join(_text(entry) for entry in named))
    return 0


def _names(entry: dict[str, Any]) -> set[str]:
    plain = {str(entry[key]).casefold() for key in ("name", "plugin", "distribution")} - {""}
    return plain | {f"{entry['name']}@{entry['distribution']}".casefold()}


def _text(entry: dict[str, Any]) -> str:
    lines = [entry["name"] or entry["plugin"], *([f"  {entry['summary']}"] if entry["summary"] else [])]
    lines += [f"  {fact + ':':14}{entry[fact]}" for fact in FACTS if entry[fact]]
    lines.append(f"  {'import:':14}{entry['importSeconds'] * 1000:.1f} ms")
    if entry["usedIn"]:
        lines.append(f"  {'used in:':14}{', '.join(entry['usedIn'])}")
    rows = list(setting_rows(entry["configSchema"]))
    if rows:
        settings = table(("setting", "kind", "default", "meaning"), rows)
        lines += ["", *(f"  {line}" for line in settings.splitlines())]
    return "\n".join(lines)


def setting_rows(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, str, str, str]]:
    """(path, kind, default, meaning) of each setting of a JSON schema, nested ones under their section."""
    yield from _rows(schema, schema.get("$defs", {}), path)


def _rows(schema: dict[str, Any], models: dict[str, Any], path: str) -> Iterator[tuple[str, str, str, str]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        nested = _nested(field, models)
        default = "required" if name in required else json.dumps(field["default"]) if "default" in field else "-"
        default = "see below" if nested and name not in required else default
        yield path + name, _kind(field, models), default, " ".join(field.get("description", "").split())
        if nested:
            yield from _rows(nested, models, f"{path}{name}.")


def _nested(field: dict[str, Any], models: dict[str, Any]) -> dict[str, Any]:
    for option in (field, *field.get("anyOf", ()), *field.get("allOf", ())):
        model: dict[str, Any] = models.get(str(option.get("$ref", "")).rpartition("/")[2], {})
        if "properties" in model:
            return model
    return {}


def _kind(field: dict[str, Any], models: dict[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(json.dumps(value) for value in field["enum"])
    if "anyOf" in field:
        kinds = [_kind(option, models) for option in field["anyOf"]]
        return " or ".join(kind for kind in kinds if kind != "null")
    if "$ref" in field:
        return "section"
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}), models)}"
    return str(field.get("format", field.get("type", "any")))


command = click.Command(
    "show", callback=_show, params=options(click.Argument(["name"])), help=f"{_show.__doc__} {HELP}"
)
