"""Matchers -> refs of the series that match: postings from cache or bucket, and their set algebra (StoreAPI 5.4)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storegate.cache.index_cache import matchers_digest
from storegate.cache.postings_codec import decode_postings, encode_postings
from storegate.errors import CorruptError
from storegate.index.access import SMALL_INDEX, Access, plan_reads
from storegate.index.groups import Group, Lists, all_postings, posting_groups
from storegate.index.header import IndexHeader
from storegate.index.lazy import split_lazy
from storegate.index.matchers import Matcher
from storegate.index.pages import keep_pages
from storegate.kernels import explain, postings
from storegate.reads import Lookup, Read, Work, new_arena

Refs = NDArray[np.uint32]
NO_REFS: Refs = np.empty(0, np.uint32)
MAX_CACHED_LISTS = 256
"""A request for more lists of one block does not look for them one by one: its expanded postings are kept instead."""


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
    cache, stats = access.cache, access.stats
    expanded_key = cache.expanded_key(ulid, digest)
    if cache.keeps("ExpandedPostings"):
        value = (yield Lookup([expanded_key])).get(expanded_key)
        known = decode_postings(value) if value is not None else None
        cache.count("ExpandedPostings", access.tenant, 1, known is not None)
        if known is not None and value is not None:
            access.charge(len(value), "loading expanded postings from index cache")
            stats.add(postings_touched=1, postings_touched_size_sum=len(value))
            return Expanded(known)
    refs = NO_REFS
    lazy: tuple[Matcher, ...] = ()
    groups = posting_groups(header, matchers)
    if groups is not None:
        eager = [group for group in groups if not group.everything]
        everything = all_postings(header) if all(group.inverted for group in eager) else None
        if access.lazy and everything is None:
            eager, lazy = split_lazy(eager, series_size, access)
        refs = yield from _combine(ulid, key, header, eager, everything, access)
    if not lazy:
        cache.put("ExpandedPostings", access.tenant, {expanded_key: encode_postings(refs)})
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
    starts = lists[:, 0].tolist()
    known = yield from _cached(ulid, starts, access)
    if len(known) < len(starts):
        missing = lists if not known else lists[[start not in known for start in starts]]
        known |= yield from _read(ulid, key, header, missing, access)
    return [[known[start] for start in group[:, 0].tolist()] for group in wanted]


def _cached(ulid: str, starts: Sequence[int], access: Access) -> Work[dict[int, Refs]]:
    cache = access.cache
    if not cache.keeps("Postings") or len(starts) > MAX_CACHED_LISTS:
        return {}
    keys = {start: cache.postings_key(ulid, start) for start in starts}
    values = yield Lookup(list(keys.values()))
    known: dict[int, Refs] = {}
    size = 0
    for start, cache_key in keys.items():
        value = values.get(cache_key)
        refs = decode_postings(value) if value is not None else None
        if refs is not None and value is not None:
            known[start] = refs
            size += len(value)
    cache.count("Postings", access.tenant, len(keys), len(known))
    if known:
        access.charge(size, "loading postings from index cache")
        access.stats.add(postings_touched=len(known), postings_touched_size_sum=size)
    return known


def _read(ulid: str, key: str, header: IndexHeader, lists: Lists, access: Access) -> Work[dict[int, Refs]]:
    """Read lists from the bucket, with their checksums; a small index is read whole, series and all."""
    started = time.perf_counter()
    starts, ends = np.ascontiguousarray(lists[:, 0]), lists[:, 1] + 4
    access.charge(int((ends - starts).sum()), "fetching postings")
    begin, end = header.series[0], header.postings_range[1]
    if end - begin <= SMALL_INDEX:
        whole = access.whole.get(ulid)
        if whole is None:
            arena = new_arena(end - begin)
            reads = [Read(key, begin, arena)]
            yield reads
            _check_length(reads, key)  # before pages of it are kept
            whole = access.whole[ulid] = (begin, arena)
            keep_pages(ulid, begin, arena[: header.series[1] - begin], header.series, access)
        else:
            reads = []
        arena = whole[1]
        spans = np.column_stack((starts - begin, ends - begin))
    else:
        arena, reads, table = plan_reads(key, starts, ends, access.partitioner)
        yield reads
        _check_length(reads, key)
        shift = np.repeat(table[:, 2] - table[:, 1], np.diff(table[:, 0], append=len(starts)))
        spans = np.column_stack((starts + shift, ends + shift))
    found = _decode(key, starts, arena, spans)
    access.cache.put(
        "Postings",
        access.tenant,
        {access.cache.postings_key(ulid, start): encode_postings(refs) for start, refs in found.items()}
        if len(found) <= MAX_CACHED_LISTS
        else {},
    )
    size = sum(len(read.buffer) for read in reads)
    access.stats.add(
        postings_to_fetch=len(lists),
        postings_fetched=len(lists),
        postings_fetched_size_sum=size,
        postings_fetch_count=len(reads),
        postings_touched=len(lists),
        postings_touched_size_sum=int((ends - starts).sum()),
    )
    access.metrics.postings_fetch_duration_seconds.labels(access.tenant).observe(time.perf_counter() - started)
    return found


def _check_length(reads: Sequence[Read], key: str) -> None:
    for read in reads:
        if read.got != len(read.buffer):
            raise CorruptError("the index ends inside its postings", object=key, offset=read.offset + read.got)


def _decode(key: str, starts: NDArray[np.int64], arena: memoryview, spans: NDArray[np.int64]) -> dict[int, Refs]:
    spans = np.ascontiguousarray(spans)
    status, total = postings.count_postings(arena, spans)
    cuts = np.empty(len(spans) + 1, np.int64)
    if status == 0:
        refs = np.empty(total, np.uint32)
        status, total = postings.decode_postings(arena, spans, cuts, refs)
    if status:
        raise CorruptError(explain(status), object=key, offset=int(starts[total]) - 4)
    bounds = cuts.tolist()
    return {start: refs[bounds[i] : bounds[i + 1]] for i, start in enumerate(starts.tolist())}


def refs_in_range(refs: Refs, header: IndexHeader, key: str) -> Refs:
    """The refs, after checking that each points into the series section."""
    if len(refs):
        low, high = int(refs[0]) * header.scale, int(refs[-1]) * header.scale
        if low < header.series[0] or high >= header.series[1]:
            raise CorruptError("a posting points outside the series section", object=key, offset=high)
    return refs
