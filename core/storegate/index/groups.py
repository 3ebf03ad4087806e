"""Posting groups: what each matcher asks of the postings of its label (StoreAPI 5.2 and 5.3)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storegate.index.header import IndexHeader, Values
from storegate.index.matchers import Matcher
from storegate.query.costs import QueryCosts
from storegate.query.request import MatchType

Lists = NDArray[np.int64]
"""int64[n, 2] of (start, end) of postings lists in the index, ascending. The start tells lists of a block apart."""

_NONE: Lists = np.empty((0, 2), np.int64)
ALL = (b"", b"")


@dataclass(slots=True)
class Group:
    """The union of `lists`, or with `inverted` every series but those. All matchers of one label name together."""

    name: bytes
    inverted: bool
    lists: Lists
    matchers: tuple[Matcher, ...]

    @property
    def everything(self) -> bool:
        """Whether it leaves nothing out."""
        return self.inverted and len(self.lists) == 0

    @property
    def nothing(self) -> bool:
        """Whether no series can pass."""
        return not self.inverted and len(self.lists) == 0

    @property
    def cardinality(self) -> int:
        """Refs in all lists, by the sizes of their ranges."""
        return int((self.lists[:, 1] - self.lists[:, 0] - 4).sum()) // 4


def posting_groups(
    header: IndexHeader, matchers: Sequence[Matcher], costs: QueryCosts | None = None
) -> list[Group] | None:
    """One group per label name, in name order; None when no series can match. Lists that do not exist are left out.

    `costs` is told how long matchers took that are run over all values of a label.
    """
    merged: dict[bytes, Group] = {}
    for matcher in matchers:
        started = time.perf_counter()
        group = _group(header, matcher)
        if costs is not None and not matcher.names_values:
            costs.matched(str(matcher), time.perf_counter() - started)
        if group is not None and group.name in merged:
            group = _both(merged[group.name], group)
        if group is None or group.nothing:
            return None
        merged[group.name] = group
    return [merged[name] for name in sorted(merged)]


def all_postings(header: IndexHeader) -> Lists:
    """The list of every series."""
    return header.ranges(*ALL[:1], [ALL[1]])


def _group(header: IndexHeader, m: Matcher) -> Group | None:
    regex = m.type in (MatchType.RE, MatchType.NRE)
    if regex and m.value == b".*":
        return Group(m.name, True, _NONE, (m,)) if m.type is MatchType.RE else None
    if m.matches_empty:
        return Group(m.name, True, _lists_to_remove(header, m, regex), (m,))
    if m.type is MatchType.RE and m.set_matches:
        return Group(m.name, False, _existing(header, m.name, sorted(m.set_matches)), (m,))
    if m.type is MatchType.EQ:
        return Group(m.name, False, _existing(header, m.name, [m.value]), (m,))
    values = _values(header, m.name)
    if not regex or m.value in (b"", b".+"):  # != "", !~ "" and =~ ".+"
        return Group(m.name, False, values.ranges, (m,))
    return Group(m.name, False, _matched(values, m, positive=m.type is MatchType.RE), (m,))


def _lists_to_remove(header: IndexHeader, m: Matcher, regex: bool) -> Lists:
    """For a matcher that a missing label passes: the lists of the values that do not."""
    if m.type is MatchType.NRE and m.set_matches:
        return _existing(header, m.name, sorted(m.set_matches))
    if m.type is MatchType.NEQ:
        return _existing(header, m.name, [m.value])
    values = _values(header, m.name)
    if not regex or (m.type is MatchType.RE and m.value == b"") or (m.type is MatchType.NRE and m.value == b".+"):
        return values.ranges
    return _matched(values, m, positive=m.type is MatchType.NRE)


def _values(header: IndexHeader, name: bytes) -> Values:
    if name:
        return header.postings.values(name)
    # The reference takes the list of all series for a value of the label "".
    return Values(memoryview(b""), np.zeros((1, 2), np.int64), all_postings(header))


def _existing(header: IndexHeader, name: bytes, values: Sequence[bytes]) -> Lists:
    ranges = header.ranges(name, values)
    found = ranges[ranges[:, 0] >= 0]
    return found if header.version == 2 else found[np.argsort(found[:, 0])]


def _matched(values: Values, m: Matcher, *, positive: bool) -> Lists:
    indexes = m.positive_indexes(values)
    if positive:
        return values.ranges[indexes]
    mask = np.ones(len(values), np.bool_)
    mask[indexes] = False
    return values.ranges[mask]


def _both(a: Group, b: Group) -> Group:
    """What passes both groups of one label name."""
    matchers = a.matchers + b.matchers
    if a.inverted and b.inverted:
        lists = np.concatenate((a.lists, b.lists[~np.isin(b.lists[:, 0], a.lists[:, 0])]))
        return Group(a.name, True, lists[np.argsort(lists[:, 0])], matchers)
    if a.inverted:
        a, b = b, a
    inside = np.isin(a.lists[:, 0], b.lists[:, 0])
    return Group(a.name, False, a.lists[~inside if b.inverted else inside], matchers)
