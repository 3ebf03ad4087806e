"""What a verification found: problems, folded where one kind repeats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
Code = Literal[
    "chunk", "chunk-order", "chunk-outside", "chunk-overlap", "chunk-range", "chunk-ref", "chunk-samples",
    "chunk-times", "chunks-lost", "chunks-unlisted", "index-gap", "index-header", "index-size", "index-toc",
    "index-unread", "mark", "meta", "meta-missing", "object-changed", "object-missing", "object-size",
    "object-unknown", "padding", "postings", "postings-differ", "postings-missing", "postings-pair",
    "postings-table", "segment-header", "series", "series-order", "series-unlisted", "statistics", "symbols",
]  # fmt: skip
"""Kinds of problems; `docs/how-to/inspect-a-bucket.md` says what each means."""

KEPT = 10
"""Problems of one kind in one object that are kept in detail; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where.

    `object` is a path below the block's folder, `offset` a place in it (bytes, -1 when there is none to tell), `series`
    the reference of the series that it is about (-1 for none) with its `labels` as text. An `error` is damage: answers
    would be wrong, incomplete or refused. A `warning` breaks a rule of the format without an effect on answers.
    """

    severity: Severity
    code: Code
    object: str
    message: str
    offset: int = -1
    series: int = -1
    labels: str = ""


@dataclass(frozen=True, slots=True)
class SeriesName:
    """A series in a message; its labels are put into words only when the message is kept."""

    ref: int
    labels: Callable[[], str]


class TooManyProblems(Exception):
    """The limit was reached; what was found so far is in the report."""


class Report:
    """Collects problems of one block. Not thread-safe. `limit` problems end the verification; 0 is no limit."""

    def __init__(self, limit: int = 0) -> None:
        self.problems: list[Problem] = []
        self._limit = limit
        self._counts: Counter[tuple[Severity, Code, str]] = Counter()

    def error(
        self, code: Code, object: str, message: str, *, offset: int = -1, series: SeriesName | None = None
    ) -> None:
        """Note damage. Raises TooManyProblems at the limit."""
        self._add("error", code, object, message, offset, series)

    def warning(
        self, code: Code, object: str, message: str, *, offset: int = -1, series: SeriesName | None = None
    ) -> None:
        """Note what breaks a rule without harm. Raises TooManyProblems at the limit."""
        self._add("warning", code, object, message, offset, series)

    @property
    def errors(self) -> int:
        """How many there are, kept or not."""
        return self._total("error")

    @property
    def warnings(self) -> int:
        """How many there are, kept or not."""
        return self._total("warning")

    def folded(self) -> dict[tuple[str, str], int]:
        """Problems that were counted but not kept, by (object, code)."""
        found: Counter[tuple[str, str]] = Counter()
        for (_, code, object), count in self._counts.items():
            found[object, code] += max(0, count - KEPT)
        return dict(+found)

    def _total(self, severity: Severity) -> int:
        return sum(count for (own, _, _), count in self._counts.items() if own == severity)

    def _add(
        self, severity: Severity, code: Code, object: str, message: str, offset: int, series: SeriesName | None
    ) -> None:
        self._counts[severity, code, object] += 1
        if self._counts[severity, code, object] <= KEPT:
            self.problems.append(
                Problem(
                    severity=severity,
                    code=code,
                    object=object,
                    message=message,
                    offset=offset,
                    series=-1 if series is None else series.ref,
                    labels="" if series is None else series.labels(),
                )
            )
        if self._limit and self._counts.total() >= self._limit:
            raise TooManyProblems
