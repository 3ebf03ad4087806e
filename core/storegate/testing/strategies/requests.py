"""Matchers and whole requests."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from storegate.query.request import (
    LabelMatcher,
    LabelNamesRequest,
    LabelValuesRequest,
    MatchType,
    SeriesRequest,
    Shard,
)
from storegate.testing.strategies.blocks import TIME_SPAN
from storegate.testing.strategies.labels import NAMES, VALUES, label_names, label_values


def patterns() -> st.SearchStrategy[str]:
    """Regular expressions that RE2 accepts, from constants to classes; many match some of the pool."""
    literal = st.sampled_from(VALUES).map(re.escape)
    pieces = st.one_of(
        literal, st.sampled_from((".*", ".+", ".", "[a-c]", "(?:a|b)+", "(?i:API)", r"\d+", "[^a]*", "$", "^", ""))
    )
    return st.one_of(
        st.sampled_from(("", ".*", ".+", "a|b", "a|", "api-(1|2|10)", "(?i)API", "x?", "api-.*", ".*1", "[ab]+")),
        st.lists(literal, min_size=1, max_size=4).map("|".join),
        st.lists(pieces, max_size=3).map("".join),
    )


@st.composite
def matchers(draw: st.DrawFn) -> LabelMatcher:
    """A valid matcher; its name may be missing from every series, its value may be empty."""
    kind = draw(st.sampled_from(MatchType))
    value = draw(patterns() if kind in (MatchType.RE, MatchType.NRE) else st.one_of(st.just(""), label_values()))
    return LabelMatcher(kind, draw(label_names()), value)


WIDE = (
    LabelMatcher(MatchType.RE, "a", ".*"),
    LabelMatcher(MatchType.NEQ, "nope", "x"),
    LabelMatcher(MatchType.NRE, "b", "no.*pe"),
)
"""Matchers that take nearly everything."""


def matcher_lists(max_size: int = 3) -> st.SearchStrategy[tuple[LabelMatcher, ...]]:
    """Matchers of a request: most lists hold one that takes nearly everything, so that answers are seldom empty."""
    wide = st.sampled_from(WIDE).map(lambda matcher: (matcher,))
    return st.one_of(
        wide,
        st.tuples(wide, matchers()).map(lambda both: (*both[0], both[1])),
        matchers().map(lambda matcher: (matcher,)),
        st.lists(matchers(), max_size=max_size).map(tuple),
    )


def shards() -> st.SearchStrategy[Shard]:
    """Shards, with totals of 0 (off) and indexes outside."""
    return st.builds(
        Shard,
        index=st.integers(0, 4),
        total=st.integers(0, 4),
        by=st.booleans(),
        labels=st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple),
    )


def _ranges() -> st.SearchStrategy[tuple[int, int]]:
    times = st.integers(-5, TIME_SPAN + 5)
    everything = st.just((-(2**63), 2**63 - 1))
    return st.one_of(everything, everything, st.tuples(times, times).map(lambda pair: (min(pair), max(pair))))


_without = st.lists(st.sampled_from(NAMES), max_size=2, unique=True).map(tuple)
_limits = st.sampled_from((0, 0, 0, -1, 1, 2, 5))


@st.composite
def series_requests(draw: st.DrawFn) -> SeriesRequest:
    """Valid `Series` requests."""
    start, end = draw(_ranges())
    return SeriesRequest(
        min_time=start,
        max_time=end,
        matchers=draw(matcher_lists()),
        max_resolution=draw(st.sampled_from((3600000, 0, 299999, 300000, 10**12))),
        aggregates=tuple(draw(st.lists(st.integers(0, 5), max_size=6))),
        skip_chunks=draw(st.booleans()),
        shard=draw(st.one_of(st.none(), st.none(), shards())),
        without_replica_labels=draw(_without),
        limit=draw(_limits),
        batch_size=draw(st.sampled_from((0, 1, 2, 3, 64))),
    )


@st.composite
def label_names_requests(draw: st.DrawFn) -> LabelNamesRequest:
    """Valid `LabelNames` requests."""
    start, end = draw(_ranges())
    return LabelNamesRequest(
        start=start, end=end, matchers=draw(matcher_lists()), without_replica_labels=draw(_without), limit=draw(_limits)
    )


@st.composite
def label_values_requests(draw: st.DrawFn) -> LabelValuesRequest:
    """Valid `LabelValues` requests."""
    names = draw(label_names_requests())
    return LabelValuesRequest(
        label=draw(label_names()),
        start=names.start,
        end=names.end,
        matchers=names.matchers,
        without_replica_labels=names.without_replica_labels,
        limit=names.limit,
    )
