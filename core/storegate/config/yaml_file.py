"""Reading YAML: strict about duplicate keys, and times stay text."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from storegate.config.units import expand_environment
from storegate.errors import ConfigurationError


class _Loader(yaml.SafeLoader):
    """Refuses a key that appears twice, and leaves `2026-01-31T00:00:00Z` as it is written."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):
                if key in seen:
                    raise _twice(key, key_node)
                seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _twice(key: Hashable, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", node.start_mark)


def parse_yaml(text: str, *, source: str, environ: Mapping[str, str] | None = None) -> Any:
    """The first document of `text`, with `$(NAME)` expanded; None when it is empty.

    Raises ConfigurationError that names `source` and the line. The text itself is not quoted: it may hold secrets.
    """
    loader = _Loader(expand_environment(text, environ, source=source))
    try:
        return loader.get_data() if loader.check_data() else None  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigurationError(f"{source}: not valid YAML{where}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{source}: not valid YAML: {error}") from None
    finally:
        loader.dispose()


def read_text(path: Path, *, source: str) -> str:
    """A configuration file's text. Raises ConfigurationError that names `source` and the path."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{source}: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{source}: {path} is not UTF-8 text") from None


def read_yaml(path: Path, *, source: str, environ: Mapping[str, str] | None = None) -> Any:
    """The first document of a YAML file, with `$(NAME)` expanded. Raises ConfigurationError."""
    return parse_yaml(read_text(path, source=source), source=f"{source} ({path})", environ=environ)
