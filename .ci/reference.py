"""Write pages of `docs/reference/` from the code: settings, flags, metrics.

Run as a script after a change of these; a test fails while the pages differ from what this gives.
"""

from __future__ import annotations

import tempfile
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Union

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from storegate.cache.guard import guarded
from storegate.config.flag_table import FLAGS, PAIRS, Flag, Pair
from storegate.config.settings import ComponentRef, Settings
from storegate.gateway import Gateway
from storegate.manager import KINDS, PluginManager
from storegate.testing.cache_faults import FaultyCache
from storegate.types import Cache

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
MADE = "<!-- made by .ci/reference.py; do not edit -->\n\n"
UNITS = {"_duration": "duration", "_byte_size": "byte size", "_time_bound": "time"}


def configuration_page() -> str:
    """All settings, then those of the built-in plugins."""
    parts = [MADE, CONFIGURATION_HEAD]
    for title, model, path in sections(Settings, ""):
        parts.append(f"## {title}\n\n{paragraph(model)}\n\n{settings_table(model, path)}\n")
    parts.append("## Built-in plugins\n\nWhat goes into `config` of a reference, by `type`.\n")
    manager = PluginManager.load(allow=["storegate"])
    for kind in KINDS:
        for loaded in manager.providers(kind):
            parts.append(f"### {kind.replace('_', ' ')} `{loaded.name}`\n\n{sentence(loaded.provider.summary)}\n")
            for _, model, path in sections(loaded.provider.config, ""):
                parts.append((f"Each of `{path}`:\n\n" if path else "") + settings_table(model, path) + "\n")
    return "\n".join(parts)


def flags_page() -> str:
    """All flags of `storegate store`, by section of its help."""
    parts = [MADE, FLAGS_HEAD]
    for section in dict.fromkeys(flag.section for flag in FLAGS):
        rows = [flag_row(flag) for flag in FLAGS if flag.section == section]
        rows += [pair_row(pair) for pair in PAIRS if pair.section == section]
        parts.append(f"## {section}\n\n" + table(("flag", "default", "setting", "meaning"), rows) + "\n")
    return "\n".join(parts)


def metrics_page() -> str:
    """All metrics that a gateway over an empty folder registers, but for those about the process."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        registry = registry_of_a_gateway(Path(folder))
    process = (ProcessCollector, PlatformCollector, GCCollector)
    for collector in [found for found in registry._collector_to_names if not isinstance(found, process)]:
        for family in typing.cast(Any, collector).describe():
            labels: tuple[str, ...] = getattr(collector, "_labelnames", ()) or getattr(family, "_labelnames", ())
            name = family.name + ("_total" if family.type == "counter" else "")
            rows.append((f"`{name}`", family.type, ", ".join(labels) or "none", sentence(family.documentation)))
    return MADE + METRICS_HEAD + "\n" + table(("name", "type", "labels", "meaning"), sorted(rows)) + "\n"


def registry_of_a_gateway(folder: Path) -> CollectorRegistry:
    """Front ends register some metrics when they start, so the gateway is started and stopped."""
    bucket = folder / "bucket"
    bucket.mkdir()
    frontends: list[dict[str, Any]] = [
        {"type": name, "config": {"address": "127.0.0.1:0"}} for name in ("grpc", "http")
    ]
    frontends.append({"type": "remote-read"})
    store = {"type": "FILESYSTEM", "config": {"directory": str(bucket)}}
    given = {"object_store": store, "data_dir": folder / "data", "frontends": frontends}
    given |= {"caching_bucket": {"type": "IN-MEMORY"}, "query": {"matcher_cache": 1}}
    plugins = PluginManager.load(allow=["storegate"])
    gateway = Gateway(Settings.model_validate(given), plugins)
    plugins.count_in(gateway.registry)
    gateway.start()
    gateway.stop(0)
    add_remote_caches(plugins, gateway.registry)
    return gateway.registry


def add_remote_caches(plugins: PluginManager, registry: CollectorRegistry) -> None:
    """Register the metrics of caches outside of the process; none is connected to."""
    configs: dict[str, dict[str, Any]] = {"MEMCACHED": {"addresses": ["localhost:1"]}, "REDIS": {"addr": "localhost:1"}}
    for name, config in configs.items():
        context = {"registry": registry, "role": "index-cache"}
        cache: Cache = plugins.create("cache", ComponentRef(type=name, config=config), context)
        guarded(cache, name="index-cache", registry=registry).close()
    guarded(FaultyCache(), name="index-cache", registry=registry).close()


def sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel], str]]:
    """(title, model, path) of the model and of every model nested in it."""
    yield (f"`{path}`" if path else "Top level", model, path)
    for name, field in model.model_fields.items():
        nested = nested_model(field.annotation)
        if nested is not None and nested.__name__ != "ComponentRef":
            yield from sections(nested, f"{path}.{name}" if path else name)


def nested_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        if (found := nested_model(argument)) is not None:
            return found
    return None


def settings_table(model: type[BaseModel], path: str) -> str:
    if not model.model_fields:
        return "No settings."
    rows = []
    for name, field in model.model_fields.items():
        rows.append(
            (
                f"`{path}.{name}`" if path else f"`{name}`",
                kind_of(field),
                default_of(field),
                sentence(field.description or ""),
            )
        )
    return table(("setting", "kind", "default", "meaning"), rows)


def kind_of(field: FieldInfo) -> str:
    for mark in field.metadata:
        unit = UNITS.get(getattr(getattr(mark, "func", None), "__name__", ""))
        if unit:
            return unit
    return kind_of_annotation(field.annotation)


def kind_of_annotation(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return kind_of_annotation(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(kind_of_annotation(option) for option in arguments if option is not type(None))
    if origin in (tuple, list):
        item = kind_of_annotation(arguments[0])
        return "list of " + {"section": "sections", "reference to a plugin": "references to plugins"}.get(item, item)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "reference to a plugin" if annotation.__name__.endswith("Ref") else "section"
    names = {str: "text", SecretStr: "secret text", int: "whole number", float: "number", bool: "boolean", Path: "path"}
    return names.get(annotation, "mapping" if origin is dict else "any")


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    kind = kind_of(field)
    if kind == "duration" and value is not None:
        return f"`{duration_text(value)}`"
    if kind == "byte size" and value is not None:
        return f"`{bytes_text(value)}`"
    if isinstance(value, SecretStr):
        return "empty"
    if isinstance(value, BaseModel):
        return f"`{{type: {value.type}}}`" if getattr(value, "type", "") else "see below"
    if isinstance(value, tuple | list):
        return f"`[{', '.join(str(getattr(item, 'type', item)) for item in value)}]`"
    if isinstance(value, Path):
        return f"`{value if value.is_absolute() else f'./{value}'}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "none" if value is None else f"`{value}`" if value not in ("", {}) else "empty"


def duration_text(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if seconds and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:g}s"


def bytes_text(size: int) -> str:
    for power, unit in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if size and size % power == 0:
            return f"{size // power}{unit}"
    return str(size)


def flag_row(flag: Flag) -> tuple[str, ...]:
    name = f"`--[no-]{flag.name}`" if flag.kind == "bool" else f"`--{flag.name}`"
    if flag.aliases:
        name += ", deprecated " + ", ".join(f"`--{alias}`" for alias in flag.aliases)
    setting = ", ".join(f"`{target}`" for target in flag.targets) or "none"
    default = f"`{flag.default}`" if flag.default else "empty"
    return name, default, setting, flag.help + (f" No effect: {flag.ignored}." if flag.ignored else "")


def pair_row(pair: Pair) -> tuple[str, ...]:
    setting = f"`{pair.target}.{pair.key}`" if pair.key else f"`{pair.target}`" if pair.target else "none"
    text = sentence(pair.help) + (f" No effect: {pair.ignored}." if pair.ignored else "")
    return f"`--{pair.name}-file`, `--{pair.name}`", "empty", setting, text


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def paragraph(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def sentence(text: str) -> str:
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if not text or text.endswith(".") else ".")


CONFIGURATION_HEAD = """# Settings

`storegate store --config storegate.yml` reads these settings from a YAML file. Flags given beside it win; the
[flags](flags.md) page tells which setting each fills. `storegate config check storegate.yml` checks a file.

- An unknown key is an error that names its path and the likely key. So is a key that is given twice.
- `$(NAME)` anywhere in the file is replaced by the environment variable, which must be set.
- A *duration* is text such as `30s`, `1h30m`, `6w`, or a number of seconds.
- A *byte size* is a number directly followed by `B`, `KB`, `MB`, `GB`, `TB`, `PB` or `EB`, all powers of 1024
  (`KiB` and so on mean the same), or a whole number of bytes.
- A *time* is RFC 3339 (`2026-01-31T00:00:00Z`) or relative to now (`-6w`); relative ones move with the clock.
- A *reference to a plugin* has the keys `type` (in any case) and `config`. `type: NAME@DISTRIBUTION` chooses when two
  installed plugins provide one name.
"""

METRICS_HEAD = """# Metrics

`GET /metrics` on the HTTP port. Names, types and labels are those of `thanos store`, so that its dashboards and alerts
work; names that begin with `storegate_` are additions. Beside these there are the `process_*` and `python_*` metrics of
the Prometheus client library.
"""

FLAGS_HEAD = """# Flags of `storegate store`

The flags of `thanos store`, in its syntax: `--name=value` or `--name value`, booleans `--name` and `--no-name`. A flag
is given once, unless its meaning says that it is repeatable. A value that cannot be read ends the command with exit
code 2 and one line on stderr, an unknown flag and every other error of the configuration with exit code 1.

Pairs `--NAME-file` and `--NAME` take the same YAML, from a file or as the value; `$(NAME)` in it is replaced by the
environment variable. A Go duration is `1h30m` or `1.5h`, also with `d` and `w`; a Prometheus duration has whole numbers
only, and `y` (`1d12h`). Sizes need a unit: `250MB`.
"""


if __name__ == "__main__":
    (REFERENCE / "configuration.md").write_text(configuration_page(), encoding="utf-8")
    (REFERENCE / "flags.md").write_text(flags_page(), encoding="utf-8")
    (REFERENCE / "metrics.md").write_text(metrics_page(), encoding="utf-8")
