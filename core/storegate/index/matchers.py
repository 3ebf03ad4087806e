"""Compiled label matchers (StoreAPI 5.1): regular expressions in Go's dialect, run by RE2 in linear time."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np
import re2
from cachetools import LRUCache
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge

from storegate.errors import InvalidRequestError
from storegate.index.postings_table import Values
from storegate.index.regex import finite_set, literal_prefix
from storegate.query.request import LabelMatcher, MatchType

_NAMES = {MatchType.EQ: "=", MatchType.NEQ: "!=", MatchType.RE: "=~", MatchType.NRE: "!~"}
# Anchors and open quotes mean something else inside a larger pattern; such patterns run value by value.
_NOT_JOINABLE = re.compile(r"(?<!\[)\^|\$|\\[AzbBQ]")
_FEW = 8


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    options.never_capture = True
    return options


_OPTIONS = _options()


class Matcher:
    """One matcher, ready to run. Immutable, thread-safe. Names and values are bytes, as in the index."""

    __slots__ = ("_joined", "_regex", "matches_empty", "name", "prefix", "set_matches", "type", "value")

    def __init__(self, matcher: LabelMatcher) -> None:
        try:
            self.type = MatchType(matcher.type)
        except ValueError:
            raise InvalidRequestError(
                f"matcher on {matcher.name!r} has the unknown type {matcher.type}; known are 0 to 3"
            ) from None
        self.name = matcher.name.encode("utf-8", "surrogateescape")
        self.value = matcher.value.encode("utf-8", "surrogateescape")
        self.set_matches: tuple[bytes, ...] = ()
        self.prefix = b""
        self._regex = None
        self._joined = None
        if self.type in (MatchType.RE, MatchType.NRE):
            self._compile(matcher)
        self.matches_empty = self.matches(b"")

    def _compile(self, matcher: LabelMatcher) -> None:
        pattern = matcher.value
        try:
            # RE2 alone has \C, a single byte; Go refuses it.
            if re.search(r"(?<!\\)(\\\\)*\\C", pattern):
                raise re2.error(r"invalid escape sequence: \C")
            self._regex = re2.compile(pattern, _OPTIONS)
        except re2.error as error:
            text = error.args[0] if error.args else error
            reason = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
            raise InvalidRequestError(f"matcher {self}: error parsing regexp: {reason}") from None
        if not _NOT_JOINABLE.search(pattern):
            with suppress(re2.error):  # it was almost too large before
                self._joined = re2.compile("\\x00(?:" + pattern + ")\\x01", _OPTIONS)
        literals = finite_set(pattern)
        if literals is not None:
            self.set_matches = tuple(literal.encode("utf-8", "surrogateescape") for literal in literals)
        else:
            self.prefix = literal_prefix(pattern).encode("utf-8", "surrogateescape")

    def __str__(self) -> str:
        return _text(self.name.decode("utf-8", "replace"), _NAMES[self.type], self.value.decode("utf-8", "replace"))

    @property
    def key(self) -> tuple[int, bytes, bytes]:
        """Sorts matchers, and tells equal ones."""
        return int(self.type), self.name, self.value

    @property
    def negative(self) -> bool:
        """Whether it is `!=` or `!~`."""
        return self.type in (MatchType.NEQ, MatchType.NRE)

    @property
    def names_values(self) -> bool:
        """Whether the postings to read can be told without going through all values of the label."""
        return bool(self.set_matches) or (self.type in (MatchType.EQ, MatchType.NEQ) and self.value != b"")

    def matches(self, value: bytes) -> bool:
        """Whether a label with this value passes; a missing label has the value b""."""
        if self.type is MatchType.EQ:
            return value == self.value
        if self.type is MatchType.NEQ:
            return value != self.value
        if self.set_matches:
            found = value in self.set_matches
        else:
            assert self._regex is not None
            found = self._regex.fullmatch(value) is not None
        return found is (self.type is MatchType.RE)

    def positive_indexes(self, values: Values) -> NDArray[np.int64]:
        """Ascending indexes of the values that the expression itself matches, before any negation."""
        low, high = _prefix_range(values, self.prefix) if self.prefix else (0, len(values))
        if self._joined is not None and high - low > _FEW:
            part = Values(values.data, values.spans[low:high], values.ranges[low:high])
            joined = part.joined()
            if joined is not None:
                text, starts = joined
                found = [match.start() for match in self._joined.finditer(text)]
                return np.searchsorted(starts, np.array(found, np.int64)) + low
        assert self._regex is not None
        regex, text_of = self._regex, values.text
        return np.array([i for i in range(low, high) if regex.fullmatch(text_of(i))], np.int64)

    def mask(self, values: Sequence[bytes]) -> NDArray[np.bool_]:
        """Which of these values pass."""
        return np.array([self.matches(value) for value in values], np.bool_)


def matcher_text(matcher: LabelMatcher) -> str:
    """A matcher as PromQL writes it, whatever its type is."""
    operator = _NAMES.get(matcher.type, f"?{matcher.type}")  # type: ignore[call-overload]
    return _text(matcher.name, operator, matcher.value)


def _text(name: str, operator: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}{operator}"{escaped}"'


def _prefix_range(values: Values, prefix: bytes) -> tuple[int, int]:
    """The stretch of sorted values that begin with `prefix`."""

    def first(after: bool) -> int:
        low, high = 0, len(values)
        while low < high:
            middle = (low + high) // 2
            head = values.text(middle)[: len(prefix)]
            if head < prefix or (after and head == prefix):
                low = middle + 1
            else:
                high = middle
        return low

    return first(False), first(True)


class MatcherCacheMetrics:
    """`thanos_matchers_cache_*`; one instance per registry, and none without a cache (operations 5.5)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def name(suffix: str) -> str:
            return f"thanos_matchers_cache_{suffix}"

        self.requests = Counter(name("requests_total"), "Regular expressions that were asked for", registry=registry)
        self.hits = Counter(name("hits_total"), "Those that were compiled already", registry=registry)
        self.evicted = Counter(name("evicted_total"), "Those that made room for others", registry=registry)
        self.items = Gauge(name("items"), "Compiled regular expressions that are kept", registry=registry)
        self.max_items = Gauge(name("max_items"), "As many as are kept at most", registry=registry)


class _CountedLRU(LRUCache[tuple[int, str, str], "Matcher"]):
    """Counts what it drops."""

    def __init__(self, size: int, metrics: MatcherCacheMetrics) -> None:
        super().__init__(size)
        self._evicted = metrics.evicted
        metrics.max_items.set(size)
        metrics.items.set_function(lambda: len(self))

    def popitem(self) -> tuple[tuple[int, str, str], Matcher]:
        self._evicted.inc()
        return super().popitem()


class MatcherCompiler:
    """Compiles matchers, keeping `size` regular expressions of recent requests; 0 or less keeps none. Thread-safe.

    Its metrics go to `registry` if it keeps any.
    """

    def __init__(self, size: int = 0, registry: CollectorRegistry | None = None) -> None:
        self._metrics = MatcherCacheMetrics(registry or CollectorRegistry()) if size > 0 else None
        self._cache = None if self._metrics is None else _CountedLRU(size, self._metrics)
        self._lock = threading.Lock()

    def compile(self, matchers: Iterable[LabelMatcher]) -> tuple[Matcher, ...]:
        """Raises InvalidRequestError for an unknown type or a bad expression."""
        return tuple(self._one(matcher) for matcher in matchers)

    def _one(self, matcher: LabelMatcher) -> Matcher:
        if self._cache is None or self._metrics is None or matcher.type not in (MatchType.RE, MatchType.NRE):
            return Matcher(matcher)
        key = (matcher.type, matcher.name, matcher.value)
        self._metrics.requests.inc()
        with self._lock:
            known = self._cache.get(key)
        if known is not None:
            self._metrics.hits.inc()
            return known
        known = Matcher(matcher)
        with self._lock:
            self._cache[key] = known
        return known
