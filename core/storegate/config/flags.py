"""From flags, and the configuration file they may name, to Settings. Explicit flags win over the file."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from storegate.config.flag_table import FLAGS, PAIRS, Pair
from storegate.config.settings import DEFAULT_FILTERS, DEFAULT_FRONTENDS, DEFAULT_INDEX_CACHE, Settings
from storegate.config.validation import check
from storegate.config.yaml_file import parse_yaml, read_yaml
from storegate.errors import ConfigurationError

_LISTS = {"meta_filters": ("meta filter", DEFAULT_FILTERS), "frontends": ("front end", DEFAULT_FRONTENDS)}


class Configured(NamedTuple):
    """`notes` are sentences about flags that were accepted and have no effect, for the log."""

    settings: Settings
    notes: tuple[str, ...]


def configure(given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Configured:
    """Settings from the flags that were given: {name without dashes: parsed value}.

    Reads the files that flags name. Raises ConfigurationError, one line naming the flag, the file and the path.
    """
    document, source = _read_document(given, environ)
    notes: list[str] = []
    for pair in PAIRS:
        _apply_pair(document, pair, given, environ, source, notes)
    for flag in FLAGS:
        if flag.name not in given or flag.name == "config":
            continue
        if not flag.targets:
            if given[flag.name] not in (False, ""):
                notes.append(f"--{flag.name} has no effect: {flag.ignored}")
        elif flag.name == "index-cache-size":
            _apply_index_cache_size(document, given, notes)
        else:
            for target in flag.targets:
                _place(document, target, given[flag.name], f"--{flag.name}", source)
    if "object_store" not in document:
        raise ConfigurationError(
            "an object store is required: give --objstore.config-file, --objstore.config, or object_store in the "
            "file of --config"
        )
    return Configured(check(Settings, document, source=source), tuple(notes))


def flag_names() -> Iterator[str]:
    """All names, without dashes."""
    for flag in FLAGS:
        yield flag.name
        yield from flag.aliases
    for pair in PAIRS:
        yield from (pair.name, f"{pair.name}-file")


def _read_document(given: Mapping[str, Any], environ: Mapping[str, str] | None) -> tuple[dict[str, Any], str]:
    if "config" not in given:
        return {}, ""
    path = Path(given["config"])
    document = read_yaml(path, source="--config", environ=environ)
    if not isinstance(document, Mapping | None):
        raise ConfigurationError(f"--config ({path}): must be a mapping of keys to values")
    return copy.deepcopy(dict(document or {})), f"--config ({path})"


def _apply_pair(
    document: dict[str, Any],
    pair: Pair,
    given: Mapping[str, Any],
    environ: Mapping[str, str] | None,
    source: str,
    notes: list[str],
) -> None:
    file, text = given.get(f"{pair.name}-file"), given.get(pair.name)
    if file and text:
        raise ConfigurationError(f"--{pair.name}-file and --{pair.name} cannot be given together")
    if not file and not text:
        return
    if pair.ignored:
        notes.append(f"--{pair.name} has no effect: {pair.ignored}")
    if not pair.target:
        return
    origin = f"--{pair.name}-file ({file})" if file else f"--{pair.name}"
    if file:
        content = read_yaml(Path(file), source=f"--{pair.name}-file", environ=environ)
    else:
        content = parse_yaml(str(text), source=origin, environ=environ)
    if pair.model is not None:
        check(pair.model, content, source=origin)
        document[pair.target] = content
    else:
        if not isinstance(content, list | None):
            raise ConfigurationError(f"{origin}: must be a list of rules")
        _place(document, f"{pair.target}.{pair.key}", content or [], origin, source)


def _apply_index_cache_size(document: dict[str, Any], given: Mapping[str, Any], notes: list[str]) -> None:
    """The size is that of the in-memory cache; a cache given by --index-cache.config has its own."""
    cache = document.setdefault("index_cache", copy.deepcopy(DEFAULT_INDEX_CACHE))
    configured = any(given.get(name) for name in ("index-cache.config", "index-cache.config-file"))
    if configured or not isinstance(cache, dict) or str(cache.get("type")).upper() != "IN-MEMORY":
        notes.append("--index-cache-size has no effect: the index cache is configured elsewhere")
    else:
        cache["config"] = {**(cache.get("config") or {}), "max_size": given["index-cache-size"]}


def _place(document: dict[str, Any], target: str, value: Any, origin: str, source: str) -> None:
    """Set the key at a dotted path; a section of a wrong shape is left for validation to name."""
    section, *rest = target.split(".")
    if section in _LISTS:
        component, key = rest
        config = _component_config(document, section, component, origin, source)
    elif rest:
        if document.get(section) is None:
            document[section] = {}
        config = document[section]
        (key,) = rest
    else:
        config, key = document, section
    if isinstance(config, dict):
        config[key] = value


def _component_config(
    document: dict[str, Any], section: str, component: str, origin: str, source: str
) -> dict[str, Any] | None:
    """The config of a component in a list of the document, which starts out as the default list."""
    what, default = _LISTS[section]
    entries = document.setdefault(section, [{"type": name} for name in default])
    if not isinstance(entries, list):
        return None
    for entry in entries:
        if isinstance(entry, dict) and str(entry.get("type")).partition("@")[0].lower() == component:
            if entry.get("config") is None:
                entry["config"] = {}
            config = entry["config"]
            return config if isinstance(config, dict) else None
    raise ConfigurationError(f"{origin} needs the {what} {component}, which {section} of {source} leaves out")
