"""What `thanos store` offers to operators, as data: its flags, its HTTP endpoints, its metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class FlagFact:
    """`range_code`: the exit code for `below`, a value of the right kind that is out of range."""

    name: str
    kind: str
    default: str = ""
    hidden: bool = False
    repeatable: bool = False
    same_as: str = ""
    below: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class MetricFact:
    """`labels` in any order. `series`: label values that are there from the start, before anything has happened."""

    name: str
    type: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    when: str = ""
    series: tuple[dict[str, str], ...] = field(default=())


def flags() -> list[FlagFact]:
    """All flags, those of pairs each for itself."""
    found = []
    for row in _read("flags.yaml"):
        row = {key: str(value) if key in ("default", "below") else value for key, value in row.items()}
        row["values"] = tuple(row.get("values", ()))
        if row["kind"] == "pair":
            found += [
                FlagFact(**{**row, "kind": "path", "name": row["name"] + "-file"}),
                FlagFact(**row | {"kind": "yaml"}),
            ]
        else:
            found.append(FlagFact(**row))
    return found


def endpoints() -> list[dict[str, Any]]:
    """`path`, `methods`, and `status` of the answer to a plain request where there is one."""
    return list(_read("endpoints.yaml"))


def metrics() -> list[MetricFact]:
    """All metrics; `when` says which configuration has them, empty: every one."""
    document = _read("metrics.yaml")
    buckets = document["buckets"]
    found = []
    for group in document["groups"]:
        for row in group["metrics"]:
            names, kind, *rest = row
            more = rest[0] if rest else {}
            bounds = more.get("buckets", ())
            found += [
                MetricFact(
                    group.get("prefix", "") + name,
                    kind,
                    tuple(more.get("labels", ())) + tuple(group.get("labels", ())),
                    tuple(float(bound) for bound in (buckets[bounds] if isinstance(bounds, str) else bounds)),
                    more.get("when", group.get("when", "")),
                    tuple(more.get("series", ())),
                )
                for name in names.split()
            ]
    return found


def _read(name: str) -> Any:
    return yaml.safe_load((_HERE / name).read_text(encoding="utf-8"))
