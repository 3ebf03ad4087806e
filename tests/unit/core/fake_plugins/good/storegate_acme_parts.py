"""Factories of the sound plugin; imported when a configuration uses them."""

from __future__ import annotations

from typing import Any

import storegate


class Part(tuple[Any, ...]):
    """(config, context) of its factory; it has every member that any kind needs."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


def open_part(config: Any, context: storegate.PluginContext) -> Any:
    if config.size == 13:
        raise storegate.ConfigurationError("thirteen is refused by the factory")
    if config.size == 14:
        raise RuntimeError("an unforeseen failure")
    if config.size == 15:
        return object()
    return Part((config, context))
