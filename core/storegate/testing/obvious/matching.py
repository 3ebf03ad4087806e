"""Matchers, evaluated one value at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from storegate.errors import InvalidRequestError
from storegate.query.request import LabelMatcher, MatchType
from storegate.testing.obvious.index import as_bytes


@dataclass(frozen=True, slots=True)
class Matcher:
    """A compiled matcher. A label that a series lacks has the value ""."""

    type: MatchType
    name: str
    value: str
    pattern: Any  # a compiled RE2, or None

    def matches(self, value: str) -> bool:
        match self.type:
            case MatchType.EQ:
                return value == self.value
            case MatchType.NEQ:
                return value != self.value
            case MatchType.RE:
                return self._full(value)
            case MatchType.NRE:
                return not self._full(value)

    def _full(self, value: str) -> bool:
        return self.pattern.search(as_bytes(value)) is not None


def compile_matchers(matchers: Iterable[LabelMatcher]) -> list[Matcher]:
    """Raises InvalidRequestError for an unknown type and for a regular expression that RE2 refuses."""
    return [_compile(matcher) for matcher in matchers]


def _compile(matcher: LabelMatcher) -> Matcher:
    try:
        kind = MatchType(matcher.type)
    except ValueError as error:
        raise InvalidRequestError(f"matcher type {matcher.type} of label {matcher.name!r} is unknown") from error
    pattern = _regex(matcher) if kind in (MatchType.RE, MatchType.NRE) else None
    return Matcher(kind, matcher.name, matcher.value, pattern)


def _regex(matcher: LabelMatcher) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(matcher.value, options)  # alone first: `a)|(b` is an error, not two alternatives
        return re2.compile(f"^(?s:{matcher.value})$", options)
    except re2.error as error:
        raise InvalidRequestError(f"matcher on {matcher.name!r}: {matcher.value!r}: {error}") from error


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether every matcher accepts the value of its label."""
    return all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers)
