"""Matchers -> refs of the series that match: postings from cache or bucket, and their set algebra (StoreAPI 5.4)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from storegate.cache.index_cache import matchers_digest
from storegate.cache.postings_codec import encoded_size
from storegate.errors import CorruptError
from storegate.index.access import Access
from storegate.index.groups import Group, Lists, all_postings, posting_groups
from storegate.index.header import IndexHeader
from storegate.index.kept_postings import decode_lists, encode_lists
from storegate.index.lazy import split_lazy
from storegate.index.lists import Refs, find_lists
from storegate.index.matchers import Matcher
from storegate.index.together import fetch_together
from storegate.kernels import postings
from storegate.steps import Lookup, Work

NO_REFS: Refs = np.empty(0, np.uint32)


@dataclass(slots=True)
class Expanded:
    """Ascending refs, and the matchers that their series still have to pass."""

    refs: Refs
    lazy: tuple[Matcher, ...] = ()


def digest_of(matchers: Sequence[Matcher]) -> str:
    """Of a set of matchers, for the key of its expanded postings. No two sets share a text: names are any text, too."""
    return matchers_digest(repr(sorted(m.key for m in matchers)))


def expand_postings(
    ulid: str,
    key: str,
    header: IndexHeader,
    matchers: Sequence[Matcher],
    digest: str,
    access: Access,
    *,
    series_size: int,
) -> Work[Expanded]:
    """The series of one block that pass the matchers; none when there are no matchers.

    `key` is the index in the bucket. Expanded postings are kept under `digest`, unless matchers were left over, which
    depends on what reading a series costs: `series_size` bytes.
    """
    if not matchers:
        return Expanded(NO_REFS)
    cache = access.cache
    expanded_key = cache.expanded_key(ulid, header.identity, digest)
    landings = cache.flights.landings
    known = yield from _look_up_expanded(expanded_key, access)
    if cache.keeps("ExpandedPostings"):
        cache.count("ExpandedPostings", access.tenant, 1, len(known))
    if not known:

        def expand(_: Collection[None]) -> Work[dict[None, Expanded]]:
            expanded = yield from _expand(ulid, key, header, matchers, access, series_size)
            if not expanded.lazy and cache.keeps("ExpandedPostings"):
                cache.put("ExpandedPostings", access.tenant, encode_lists({expanded_key: expanded.refs}, access))
            return {None: expanded}

        own, known = yield from fetch_together(
            cache.flights, {None: expanded_key}, landings, lambda _: _look_up_expanded(expanded_key, access), expand
        )
        if own:
            return own[None]
    size = encoded_size(known[None].refs)
    access.charge(size, "loading expanded postings from index cache")
    access.stats.add(postings_touched=1, postings_touched_size_sum=size)
    return known[None]


def _look_up_expanded(key: str, access: Access) -> Work[dict[None, Expanded]]:
    if not access.cache.keeps("ExpandedPostings"):
        return {}
    values = yield Lookup([key], access.cache.timer("ExpandedPostings", access.tenant))
    known = decode_lists({None: values[key]} if key in values else {}, access)
    return {same: Expanded(refs) for same, refs in known.items()}


def _expand(
    ulid: str, key: str, header: IndexHeader, matchers: Sequence[Matcher], access: Access, series_size: int
) -> Work[Expanded]:
    groups = posting_groups(header, matchers, access.stats.costs)
    if groups is None:
        return Expanded(NO_REFS)
    lazy: tuple[Matcher, ...] = ()
    eager = [group for group in groups if not group.everything]
    everything = all_postings(header) if all(group.inverted for group in eager) else None
    if access.lazy and everything is None:
        eager, lazy = split_lazy(eager, series_size, access)
    refs = yield from _combine(ulid, key, header, eager, everything, access)
    return Expanded(refs, lazy)


def _combine(
    ulid: str, key: str, header: IndexHeader, groups: Sequence[Group], everything: Lists | None, access: Access
) -> Work[Refs]:
    wanted = [group.lists for group in groups] + ([] if everything is None else [everything])
    parts = yield from _fetch(ulid, key, header, wanted, access)
    adds = [] if everything is None else [parts[-1][0]]
    adds += [_union(found) for group, found in zip(groups, parts, strict=False) if not group.inverted]
    adds.sort(key=len)
    refs = adds[0]
    for other in adds[1:]:
        refs = postings.intersect(refs, other)
    for group, found in zip(groups, parts, strict=False):
        if group.inverted and len(refs):
            refs = postings.subtract(refs, _union(found))
    return refs


def _union(parts: Sequence[Refs]) -> Refs:
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        return postings.union(parts[0], parts[1])
    return np.unique(np.concatenate(parts)) if parts else NO_REFS


def _fetch(ulid: str, key: str, header: IndexHeader, wanted: Sequence[Lists], access: Access) -> Work[list[list[Refs]]]:
    """The decoded lists of each group."""
    ascending = len(wanted) == 1 and header.version == 2  # version 1 stores the lists in any order
    lists = wanted[0] if ascending else np.unique(np.concatenate(wanted), axis=0)
    known = yield from find_lists(ulid, key, header, lists, access)
    return [[known[start] for start in group[:, 0].tolist()] for group in wanted]


def refs_in_range(refs: Refs, header: IndexHeader, key: str) -> Refs:
    """The refs, after checking that each points into the series section."""
    if len(refs):
        low, high = int(refs[0]) * header.scale, int(refs[-1]) * header.scale
        if low < header.series[0] or high >= header.series[1]:
            raise CorruptError("a posting points outside the series section", object=key, offset=high)
    return refs
