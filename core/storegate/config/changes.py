"""What differs between two settings, and which of it a running gateway can take over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from storegate.config.settings import Settings

RELOADABLE: Mapping[str, frozenset[str]] = {
    "limits": frozenset({"series", "samples", "bytes"}),
    "query": frozenset({"lazy_expanded_postings", "max_key_series_ratio", "series_batch", "series_size", "chunk_size"}),
    "log": frozenset({"level", "format", "name"}),
}
"""Settings that are read anew for each query or line, by section. All others hold until the process ends."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Paths of settings that differ: those that are taken over, with old and new value, and those that need a restart.

    Values of the latter are left out: they may be secrets.
    """

    applied: Mapping[str, tuple[Any, Any]]
    restart: tuple[str, ...]


def compare(old: Settings, new: Settings) -> Changes:
    """What differs."""
    before, after = dict(_leaves(old.model_dump())), dict(_leaves(new.model_dump()))
    differing = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    applied = {path: (before[path], after[path]) for path in differing if _reloadable(path)}
    return Changes(applied, tuple(path for path in differing if path not in applied))


def taken_over(settings: Settings, new: Settings) -> Settings:
    """`settings` with the reloadable ones of `new`."""
    sections = {}
    for name, keys in RELOADABLE.items():
        source = getattr(new, name)
        sections[name] = getattr(settings, name).model_copy(update={key: getattr(source, key) for key in keys})
    return settings.model_copy(update=sections)


def _reloadable(path: str) -> bool:
    section, _, key = path.partition(".")
    return key in RELOADABLE.get(section, ())


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of everything that holds nothing else; an empty list or section is a leaf."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value
