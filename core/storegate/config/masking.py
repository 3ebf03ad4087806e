"""The settings in force, as plain data that may be shown: what is secret is replaced."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from storegate.config.flag_texts import REDACTED, without_credentials
from storegate.config.settings import ComponentRef, Settings
from storegate.errors import PluginError

if TYPE_CHECKING:
    from storegate.manager import PluginManager

KINDS = {
    "object_store": "object_store",
    "index_cache": "cache",
    "caching_bucket": "cache",
    "meta_filters": "meta_filter",
    "partitioner": "partitioner",
    "frontends": "frontend",
    "observers": "observer",
    "tracing": "observer",
}
"""The settings that are references to plugins, and the kind of each."""
_PYDANTIC_MASK = "**********"
_SECRET_NAME = re.compile(
    r"passw|secret|token|credential|private|access_key|account_key|api_key|connection_string", re.I
)


def masked_settings(settings: Settings, plugins: PluginManager) -> dict[str, Any]:
    """All settings with the plugins' own, defaults included, fit for JSON and YAML.

    Replaced are values that a plugin's model declares as `SecretStr`, values whose key sounds secret, users and
    passwords in URLs, and the whole `config` of a plugin that is not there to say what is secret. Raises nothing.
    """
    document = settings.model_dump(mode="json")
    for name, kind in KINDS.items():
        value = getattr(settings, name)
        if isinstance(value, tuple):
            for entry, ref in zip(document[name], value, strict=True):
                entry["config"] = _config(ref, kind, plugins)
        elif value is not None:
            document[name]["config"] = _config(value, kind, plugins)
    masked: dict[str, Any] = _masked(document)
    return masked


def _config(ref: ComponentRef, kind: str, plugins: PluginManager) -> Any:
    try:
        model = plugins.get(kind, ref.type).provider.config
        return model.model_validate(ref.config).model_dump(mode="json")
    except (PluginError, ValidationError):
        return REDACTED if ref.config else {}


def _masked(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _masked(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, name) for item in value]
    if isinstance(value, str) and value:
        if value == _PYDANTIC_MASK or _SECRET_NAME.search(name):
            return REDACTED
        return without_credentials(value)
    return value
