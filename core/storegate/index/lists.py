"""Postings lists of one block, from cache or bucket."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from storegate.cache.postings_codec import encoded_size
from storegate.errors import CorruptError
from storegate.index.access import SMALL_INDEX, Access, plan_reads
from storegate.index.groups import Lists
from storegate.index.header import IndexHeader
from storegate.index.kept_postings import decode_lists, encode_lists
from storegate.index.pages import keep_pages
from storegate.index.together import fetch_together
from storegate.kernels import explain, postings
from storegate.reads import Read, new_arena
from storegate.steps import Lookup, Work

Refs = NDArray[np.uint32]
MAX_CACHED_LISTS = 256
"""A request for more lists of one block does not look for them one by one: its expanded postings are kept instead."""


def find_lists(ulid: str, key: str, header: IndexHeader, lists: Lists, access: Access) -> Work[dict[int, Refs]]:
    """Ascending lists by their start: those of the cache, the others from the bucket."""
    started = time.perf_counter()
    found = yield from _find(ulid, key, header, lists, access)
    access.metrics.fetches(access.tenant).postings.observe(time.perf_counter() - started)
    return found


def _find(ulid: str, key: str, header: IndexHeader, lists: Lists, access: Access) -> Work[dict[int, Refs]]:
    cache, starts = access.cache, lists[:, 0].tolist()
    small = header.postings_range[1] - header.series[0] <= SMALL_INDEX
    many = len(starts) > MAX_CACHED_LISTS
    landings = cache.flights.landings
    known: dict[int, Refs] = {}
    if cache.keeps("Postings") and not many:
        known = yield from _look_up(ulid, header, starts, access)
        cache.count("Postings", access.tenant, len(starts), len(known))
        _touched(known, access)
    missing = [start for start in starts if start not in known]

    def read(wanted: Collection[int]) -> Work[dict[int, Refs]]:
        chosen = lists if len(wanted) == len(starts) else lists[np.isin(lists[:, 0], list(wanted))]
        return _read(ulid, key, header, chosen, access, small=small)

    if not missing:
        return known
    if small or many:  # the index is fetched once as a whole; many lists are their expanded postings' affair
        return known | (yield from read(missing))
    keys = {start: cache.postings_key(ulid, header.identity, start) for start in missing}
    own, others = yield from fetch_together(
        cache.flights, keys, landings, lambda late: _look_up(ulid, header, late, access), read
    )
    _touched(others, access)
    return known | own | others


def _look_up(ulid: str, header: IndexHeader, starts: Collection[int], access: Access) -> Work[dict[int, Refs]]:
    cache = access.cache
    if not cache.keeps("Postings"):
        return {}
    keys = [cache.postings_key(ulid, header.identity, start) for start in starts]
    values = yield Lookup(keys, cache.timer("Postings", access.tenant))
    return decode_lists({start: values[at] for start, at in zip(starts, keys, strict=True) if at in values}, access)


def _touched(known: dict[int, Refs], access: Access) -> None:
    """Account for lists that did not come from the bucket."""
    if known:
        size = sum(map(encoded_size, known.values()))
        access.charge(size, "loading postings from index cache")
        access.stats.add(postings_touched=len(known), postings_touched_size_sum=size)


def _read(
    ulid: str, key: str, header: IndexHeader, lists: Lists, access: Access, *, small: bool
) -> Work[dict[int, Refs]]:
    """Read lists from the bucket, with their checksums; a small index is read whole, series and all."""
    starts, ends = np.ascontiguousarray(lists[:, 0]), lists[:, 1] + 4
    wanted = int((ends - starts).sum())
    access.charge(wanted, "fetching postings")
    reads: list[Read] = []
    if small:
        if ulid not in access.whole:
            access.whole[ulid] = yield from _read_whole(ulid, key, header, access, reads)
        begin, arena = access.whole[ulid]
        spans = np.column_stack((starts - begin, ends - begin))
    else:
        arena, reads, table = plan_reads(key, starts, ends, access.partitioner)
        yield reads
        _check_length(reads, key)
        shift = np.repeat(table[:, 2] - table[:, 1], np.diff(table[:, 0], append=len(starts)))
        spans = np.column_stack((starts + shift, ends + shift))
    found = _decode(key, starts, arena, spans)
    _keep(ulid, header, found, access)
    access.stats.add(
        postings_to_fetch=len(lists),
        postings_fetched=len(lists),
        postings_fetched_size_sum=sum(len(read.buffer) for read in reads),
        postings_fetch_count=len(reads),
        postings_touched=len(lists),
        postings_touched_size_sum=wanted,
    )
    return found


def _read_whole(
    ulid: str, key: str, header: IndexHeader, access: Access, reads: list[Read]
) -> Work[tuple[int, memoryview]]:
    """Series and postings of a small index, and where they begin; adds its own read, if it makes one, to `reads`."""
    flights = access.cache.flights

    def read(_: Collection[None]) -> Work[dict[None, tuple[int, memoryview]]]:
        begin, end = header.series[0], header.postings_range[1]
        arena = new_arena(end - begin)
        reads.append(Read(key, begin, arena))
        yield reads
        _check_length(reads, key)  # before pages of it are kept
        keep_pages(ulid, begin, arena[: header.series[1] - begin], header, access)
        return {None: (begin, arena)}

    def nowhere(_: Collection[None]) -> Work[dict[None, tuple[int, memoryview]]]:
        yield from ()
        return {}

    whole_key = f"whole:{ulid}:{header.identity}"
    own, others = yield from fetch_together(flights, {None: whole_key}, flights.landings, nowhere, read)
    return (own or others)[None]


def _keep(ulid: str, header: IndexHeader, found: dict[int, Refs], access: Access) -> None:
    cache = access.cache
    if len(found) <= MAX_CACHED_LISTS and cache.keeps("Postings"):
        items = {cache.postings_key(ulid, header.identity, at): refs for at, refs in found.items()}
        cache.put("Postings", access.tenant, encode_lists(items, access))


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
