"""Which postings are not worth reading, because testing the series themselves costs less (StoreAPI 5.5)."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from storegate.index.access import Access
from storegate.index.groups import Group
from storegate.index.matchers import Matcher

MATCH_RATIO = 0.5
"""Share of the series that a further matcher is taken to keep."""


def split_lazy(groups: Sequence[Group], size: int, access: Access) -> tuple[list[Group], tuple[Matcher, ...]]:
    """The groups to read, and the matchers of the others, to be tested on each series; one takes about `size` bytes."""
    ordered = sorted(groups, key=lambda group: (group.cardinality, group.name))
    first = next((i for i, group in enumerate(ordered) if not group.inverted), len(ordered))
    if size <= 0 or len(ordered) < 2 or first >= len(ordered) - 1:
        return list(groups), ()
    negative = sum(group.cardinality for group in ordered[:first])
    matched = base = ordered[first].cardinality - ceil(negative * MATCH_RATIO)
    eager = ordered[: first + 1]
    lazy: list[tuple[str, Group]] = []
    i = first + 1
    while i < len(ordered):
        group = ordered[i]
        if matched <= 0:
            break
        if 0 < access.max_key_series_ratio < (len(group.lists) / base if base > 0 else 0):
            lazy.append(("keys_limit", group))
            i += 1
            continue
        if group.inverted:
            removed = ceil(min(group.cardinality, matched) * MATCH_RATIO)
            saved, matched = removed * size, matched - removed
        else:
            saved, matched = size * ceil(matched * (1 - MATCH_RATIO)), ceil(matched * MATCH_RATIO)
        if 4 * group.cardinality > saved:
            break
        eager.append(group)
        i += 1
    lazy += [("postings_size", group) for group in ordered[i:]]
    _count(lazy, access)
    return eager, tuple(matcher for _, group in lazy for matcher in group.matchers)


def _count(lazy: Sequence[tuple[str, Group]], access: Access) -> None:
    if not lazy:
        return
    access.metrics.lazy_expanded_postings_total.inc()
    for reason, group in lazy:
        access.metrics.lazy_expanded_posting_groups_total.labels(reason).inc()
        access.metrics.lazy_expanded_posting_size_bytes_total.inc(4 * group.cardinality)
