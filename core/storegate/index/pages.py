"""Series entries by page: the index cache keeps aligned stretches of the series section, not series one by one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from storegate.errors import CorruptError
from storegate.index.access import Access, plan_reads
from storegate.index.header import IndexHeader
from storegate.index.together import fetch_together
from storegate.steps import Lookup, Work

PAGE = 64 << 10
FEW_PAGES = 4
"""So many pages beside one another are taken whole, without asking which of them are needed."""

FROM_CACHE = "loading series from index cache"

Bytes = bytes | memoryview
Runs = NDArray[np.int64]
"""int64[r, 3] of (file start, file end, place in the arena): the stretches of the index that an arena holds."""


def fetch_entries(
    ulid: str,
    key: str,
    header: IndexHeader,
    refs: NDArray[np.uint32],
    estimate: int,
    access: Access,
    *,
    anew: bool = False,
) -> Work[tuple[memoryview | bytes, Runs]]:
    """Bytes that hold the entries of ascending `refs`, as far as `estimate` bytes each, from cache or bucket.

    `anew` passes by what is at hand, and keeps what the bucket has instead.
    """
    end = header.series[1]
    pages = _pages_of(refs, header.scale, estimate, end)
    whole = access.whole.get(ulid)
    if whole is not None and not anew:
        _charge_once(ulid, pages, header, access)
        arena = whole[1][: end - whole[0]]
        return arena, np.array([[whole[0], end, 0]], np.int64)
    if anew:
        return _assemble({}, (yield from _read(ulid, key, header, pages, access)), header)
    cache = access.cache
    landings = cache.flights.landings
    found: dict[int, Bytes] = {}
    if cache.keeps("Series"):
        found = yield from _look_up(ulid, header, pages, access)
        cache.count("Series", access.tenant, len(pages), len(found))
        if len(pages) == len(found) == 1:
            low, high = _bounds(pages[0], header)
            access.charge(high - low, FROM_CACHE)
            return found[pages[0]], np.array([[low, high, 0]], np.int64)
    read: list[tuple[int, memoryview]] = []
    if len(found) < len(pages):

        def fetch(wanted: Collection[int]) -> Work[dict[int, Bytes]]:
            parts = yield from _read(ulid, key, header, sorted(wanted), access)
            read.extend(parts)
            return _cut(parts, wanted, header)

        missing = [page for page in pages if page not in found]
        keys = dict(zip(missing, cache.page_keys(ulid, header.identity, PAGE, missing), strict=True))
        _, others = yield from fetch_together(
            cache.flights, keys, landings, lambda late: _look_up(ulid, header, late, access), fetch
        )
        found |= others
    if found:
        access.charge(sum(map(len, found.values())), FROM_CACHE)
    return _assemble(found, read, header)


def keep_pages(ulid: str, begin: int, data: memoryview, header: IndexHeader, access: Access) -> None:
    """Keep the whole pages in `data`, which begins at `begin` of the index and is part of its series section."""
    if not access.cache.keeps("Series"):
        return
    end = begin + len(data)
    items = {}
    for page in range(begin // PAGE, -(-end // PAGE)):
        low, high = _bounds(page, header)
        if begin <= low and high <= end:
            items[page] = bytes(data[low - begin : high - begin])
    keys = access.cache.page_keys(ulid, header.identity, PAGE, items)
    access.cache.put("Series", access.tenant, dict(zip(keys, items.values(), strict=True)))


def _look_up(ulid: str, header: IndexHeader, pages: Collection[int], access: Access) -> Work[dict[int, Bytes]]:
    """The pages that the cache has; one of the wrong size is none."""
    cache = access.cache
    if not cache.keeps("Series"):
        return {}
    keys = cache.page_keys(ulid, header.identity, PAGE, pages)
    values = yield Lookup(keys, cache.timer("Series", access.tenant))
    found: dict[int, Bytes] = {}
    for page, cache_key in zip(pages, keys, strict=True):
        value = values.get(cache_key)
        if value is not None:
            low, high = _bounds(page, header)
            if len(value) == high - low:
                found[page] = value
    return found


def _charge_once(ulid: str, pages: Sequence[int], header: IndexHeader, access: Access) -> None:
    """Charge pages of an index that was read whole, each once, as if they had been read by themselves."""
    charged = access.charged.setdefault(ulid, set())
    fresh = [page for page in pages if page not in charged]
    charged.update(fresh)
    access.charge(sum(high - low for low, high in (_bounds(page, header) for page in fresh)), "fetching series")


def _bounds(page: int, header: IndexHeader) -> tuple[int, int]:
    return max(page * PAGE, header.series[0]), min(page * PAGE + PAGE, header.series[1])


def _pages_of(refs: NDArray[np.uint32], scale: int, estimate: int, end: int) -> list[int]:
    first_page = int(refs[0]) * scale // PAGE
    last_page = (min(int(refs[-1]) * scale + estimate, end) - 1) // PAGE
    if last_page - first_page < FEW_PAGES:
        return list(range(first_page, last_page + 1))
    first = refs.astype(np.int64) * scale
    last = (np.minimum(first + estimate, end) - 1) // PAGE
    first //= PAGE
    steps = np.flatnonzero(np.diff(first, prepend=-1) | np.diff(last, prepend=-1))
    pages: list[int] = []
    for low, high in zip(first[steps].tolist(), last[steps].tolist(), strict=True):
        pages += range(max(low, pages[-1] + 1 if pages else low), high + 1)
    return pages


def _read(
    ulid: str, key: str, header: IndexHeader, pages: list[int], access: Access
) -> Work[list[tuple[int, memoryview]]]:
    """(file offset, bytes) of each read that together hold the pages."""
    if not pages:
        return []
    bounds = np.array([_bounds(page, header) for page in pages], np.int64)
    arena, reads, _ = plan_reads(
        key, np.ascontiguousarray(bounds[:, 0]), np.ascontiguousarray(bounds[:, 1]), access.partitioner
    )
    access.charge(len(arena), "fetching series")
    yield reads
    for read in reads:
        if read.got != len(read.buffer):
            raise CorruptError("the index ends inside its series section", object=key, offset=read.offset + read.got)
        keep_pages(ulid, read.offset, read.buffer, header, access)
    access.stats.add(series_fetched_size_sum=len(arena), series_fetch_count=len(reads))
    return [(read.offset, read.buffer) for read in reads]


def _cut(parts: list[tuple[int, memoryview]], pages: Collection[int], header: IndexHeader) -> dict[int, Bytes]:
    """The pages out of what was read."""
    found: dict[int, Bytes] = {}
    ascending = iter(parts)
    offset, data = next(ascending)
    for page in sorted(pages):
        low, high = _bounds(page, header)
        while high > offset + len(data):
            offset, data = next(ascending)
        found[page] = data[low - offset : high - offset]
    return found


def _assemble(
    found: dict[int, Bytes], read: list[tuple[int, memoryview]], header: IndexHeader
) -> tuple[memoryview | bytes, Runs]:
    """One arena of all parts in file order; a single part is its own arena."""
    parts: list[tuple[int, memoryview | bytes]] = [(_bounds(page, header)[0], data) for page, data in found.items()]
    parts += read
    parts.sort(key=lambda part: part[0])
    runs: list[list[int]] = []
    pieces: list[memoryview | bytes] = []
    at = 0
    for offset, data in parts:
        if runs and offset < runs[-1][1]:  # a read went over a gap that the cache had
            skip = runs[-1][1] - offset
            offset, data = offset + skip, data[skip:]
        if not len(data):
            continue
        if runs and runs[-1][1] == offset:
            runs[-1][1] += len(data)
        else:
            runs.append([offset, offset + len(data), at])
        pieces.append(data)
        at += len(data)
    arena = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return arena, np.array(runs, np.int64).reshape(-1, 3)
