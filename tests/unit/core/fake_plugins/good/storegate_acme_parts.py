"""Factories of the sound plugin; imported when a configuration uses them."""

from __future__ import annotations

from typing import Any

import storegate


def open_part(config: Any, context: storegate.PluginContext) -> tuple[Any, storegate.PluginContext]:
    if config.size == 13:
        raise storegate.ConfigurationError("thirteen is refused by the factory")
    if config.size == 14:
        raise RuntimeError("an unforeseen failure")
    return config, context
