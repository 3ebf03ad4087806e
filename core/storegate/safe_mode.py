"""Safe mode: the settings with what only third parties can fill left out, or replaced by the default.

A place is given up only where that cannot change an answer: caches, partitioner, observers and further front ends. An
object store or a meta filter decides what is served, so these stay, and the start says that they are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from storegate.config.masking import KINDS
from storegate.config.settings import ComponentRef, Settings
from storegate.errors import PluginError
from storegate.manager import PluginManager

DECIDING = frozenset({"object_store", "meta_filters"})
"""Settings whose plugins decide what is served."""


def settings_in_force(settings: Settings, plugins: PluginManager) -> tuple[Settings, dict[str, str]]:
    """The settings that a gateway goes by, and {path: sentence} of what safe mode changed. Outside of it, nothing."""
    if not settings.plugins.safe_mode:
        return settings, {}
    changes: dict[str, Any] = {}
    notes: dict[str, str] = {}
    for name, kind in KINDS.items():
        value = getattr(settings, name)
        if name in DECIDING or value is None:
            continue
        if isinstance(value, tuple):
            kept = tuple(ref for ref in value if _is_there(plugins, kind, ref))
            if kept != value:
                changes[name] = kept
                notes[name] = "safe mode leaves out " + _names(ref for ref in value if ref not in kept)
        elif not _is_there(plugins, kind, value):
            changes[name] = Settings.model_fields[name].get_default()
            notes[name] = f"safe mode takes the default instead of {value.type}"
    return settings.model_copy(update=changes), notes


def warnings(notes: Mapping[str, str]) -> list[str]:
    """One line for each change."""
    return [f"{path}: {text}; start without --plugins.safe-mode to have it back" for path, text in notes.items()]


def _is_there(plugins: PluginManager, kind: str, ref: ComponentRef) -> bool:
    try:
        plugins.get(kind, ref.type)
    except PluginError:
        return False
    return True


def _names(refs: Iterable[ComponentRef]) -> str:
    return ", ".join(ref.type for ref in refs)
