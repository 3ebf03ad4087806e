"""Where plugins come from: entry points of installed distributions, chosen before anything is imported."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata

HOST_DISTRIBUTION = "storegate"
DISABLE_VARIABLE = "STOREGATE_PLUGINS_DISABLE"
ALLOW_VARIABLE = "STOREGATE_PLUGINS_ALLOW"
SAFE_MODE_REASON = "left out by plugins.safe_mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSource:
    """One entry point, and what became of it. `name` is the entry point's, `import_seconds` what its import took."""

    name: str
    module: str
    distribution: str
    version: str
    state: str = "found"  # found -> disabled, loaded or broken
    reason: str = ""  # why it is disabled or broken; one line
    import_seconds: float = 0.0
    offered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # kind -> provider names, as far as it got

    @property
    def origin(self) -> str:
        """`distribution version`, as messages name it."""
        return f"{self.distribution} {self.version}"

    def with_state(self, state: str, reason: str) -> PluginSource:
        return replace(self, state=state, reason=reason)

    @property
    def builtin(self) -> bool:
        return canonical(self.distribution) == HOST_DISTRIBUTION


def canonical(name: str) -> str:
    """A distribution's name in the one form in which names compare equal."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find_sources(group: str) -> list[tuple[metadata.EntryPoint, PluginSource]]:
    """All entry points of the group, built-ins first, then by distribution and name. Imports none of them."""
    found = []
    for entry in metadata.entry_points(group=group):
        distribution = entry.dist.name if entry.dist else "unknown"
        version = entry.dist.version if entry.dist else "unknown"
        source = PluginSource(name=entry.name, module=entry.value, distribution=distribution, version=version)
        found.append((entry, source))
    return sorted(found, key=lambda pair: (not pair[1].builtin, canonical(pair[1].distribution), pair[1].name))


def reason_to_skip(
    source: PluginSource,
    disable: Iterable[str],
    allow: Iterable[str] | None,
    environ: Mapping[str, str] | None = None,
    *,
    safe_mode: bool = False,
) -> str:
    """Why the lists keep this plugin from being imported; empty when they let it in.

    The settings and the environment variables restrict independently. A list names entry points, distributions, or
    `ENTRY-POINT@DISTRIBUTION`. `safe_mode` keeps out all that are not built in.
    """
    if safe_mode and not source.builtin:
        return SAFE_MODE_REASON
    values = os.environ if environ is None else environ
    names = {canonical(source.name), canonical(source.distribution)}
    names.add(f"{canonical(source.name)}@{canonical(source.distribution)}")
    if names & _canonical_all(disable):
        return "disabled by plugins.disable"
    if names & _canonical_all(_split(values.get(DISABLE_VARIABLE, ""))):
        return f"disabled by {DISABLE_VARIABLE}"
    if allow is not None and not names & _canonical_all(allow):
        return "not in plugins.allow"
    if ALLOW_VARIABLE in values and not names & _canonical_all(_split(values[ALLOW_VARIABLE])):
        return f"not in {ALLOW_VARIABLE}"
    return ""


def install_hint(source: PluginSource) -> str:
    """The command that would most likely repair a plugin that cannot be imported."""
    try:
        extras = metadata.metadata(source.distribution).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        extras = []
    if canonical(source.name) in _canonical_all(extras):
        return f"run: python -m pip install '{source.distribution}[{source.name}]'"
    return f"run: python -m pip install --upgrade {source.distribution}, or disable the plugin {source.name}"


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _canonical_all(names: Iterable[str]) -> set[str]:
    return {"@".join(canonical(part) for part in name.split("@")) for name in names}
