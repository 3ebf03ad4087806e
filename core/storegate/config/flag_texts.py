"""What every flag of `storegate store` amounts to, as text, without secrets (operations 4.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from storegate.config.flag_kinds import PARSERS
from storegate.config.flag_table import FLAGS, PAIRS, PROCESS, Flag
from storegate.config.settings import ComponentRef, Settings

REDACTED = "<REDACTED>"
OBJECT_STORE_PAIR = "objstore.config"
_MISSING = object()
_USER_OF_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def flag_texts(settings: Settings, given: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Text by name (without dashes) of all flags but the process-wide ones, hidden and deprecated ones included.

    Values are those in force, whether they come from the command line (`given`: name to parsed value), a
    configuration file or a default. YAML texts are never shown: they hold credentials. Of the object store not even the
    file's name is, as in the reference.
    """
    given = given or {}
    texts = {}
    for flag in FLAGS:
        if flag.section != PROCESS:
            for name in (flag.name, *flag.aliases):
                texts[name] = without_credentials(_flag_text(flag, settings, given))
    for pair in PAIRS:
        if pair.section != PROCESS:
            hidden = pair.name == OBJECT_STORE_PAIR
            texts[f"{pair.name}-file"] = REDACTED if hidden else str(given.get(f"{pair.name}-file", ""))
            texts[pair.name] = REDACTED if hidden or given.get(pair.name) else ""
    return dict(sorted(texts.items()))


def without_credentials(text: str) -> str:
    """A text whose URLs name no user and no password."""
    return _USER_OF_URL.sub(REDACTED, text)


def _flag_text(flag: Flag, settings: Settings, given: Mapping[str, Any]) -> str:
    value = given.get(flag.name, _MISSING)
    for target in flag.targets:
        if value is _MISSING:
            value = _setting(settings, target.split("."))
    if value is _MISSING or value is None:
        value = flag.default
    for word, meaning in flag.choices.items():
        if meaning == value:
            return word
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    if not value and isinstance(value, str):
        return ""
    write = _WRITERS.get(flag.kind, str)
    return write(PARSERS[flag.kind](value) if isinstance(value, str) and flag.kind in _WRITERS else value)


def _setting(settings: Settings, path: list[str]) -> Any:
    """The value at a target of the flag table, as it was configured; `_MISSING` where a plugin's default holds."""
    current: Any = settings
    for position, part in enumerate(path):
        if isinstance(current, tuple):
            return _component_setting(current, part, path[position + 1])
        current = current.get(part, _MISSING) if isinstance(current, Mapping) else getattr(current, part)
        if current is _MISSING:
            break
    return current


def _component_setting(refs: tuple[ComponentRef, ...], name: str, key: str) -> Any:
    for ref in refs:
        if ref.type.partition("@")[0].lower() == name:
            return ref.config.get(key, _MISSING)
    return _MISSING


def go_duration(seconds: float) -> str:
    """Seconds as Go writes a duration: `15m0s`, `1h0m0s`, `1.5s`, `100ms`."""
    if seconds == 0:
        return "0s"
    if 0 < seconds < 1:
        return f"{Decimal(str(seconds * 1000)).normalize():f}ms"
    minutes, rest = divmod(Decimal(str(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest.normalize():f}s"
    if hours:
        return f"{hours:f}h{minutes:f}m{text}"
    return f"{minutes:f}m{text}" if minutes else text


def prometheus_duration(seconds: float) -> str:
    """Seconds as Prometheus writes a duration: `2m`, `1d12h`, `0s`."""
    millis = round(seconds * 1000)
    if millis == 0:
        return "0s"
    text = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, millis = divmod(millis, size)
        if count:
            text += f"{count}{unit}"
    return text


def byte_size(size: int) -> str:
    """Bytes in units of 1024, largest first: `250MiB`, `1GiB512MiB`, `0B`."""
    text = ""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        size, rest = divmod(size, 1024)
        if rest:
            text = f"{rest}{unit}{text}"
    return text or "0B"


_WRITERS: Mapping[str, Callable[[Any], str]] = {
    "go-duration": go_duration,
    "interval": go_duration,
    "prom-duration": prometheus_duration,
    "bytes": byte_size,
    "number": lambda value: f"{value:g}",
}
