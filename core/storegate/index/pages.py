"""Series entries by page: the index cache keeps aligned stretches of the series section, not series one by one."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from storegate.errors import CorruptError
from storegate.index.access import Access, plan_reads
from storegate.index.header import IndexHeader
from storegate.reads import Lookup, Work

PAGE = 64 << 10
FEW_PAGES = 4
"""So many pages beside one another are taken whole, without asking which of them are needed."""

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
    whole = access.whole.get(ulid)
    if whole is not None and not anew:
        arena = whole[1][: end - whole[0]]
        return arena, np.array([[whole[0], end, 0]], np.int64)
    pages = _pages_of(refs, header.scale, estimate, end)
    found: dict[int, bytes] = {}
    if access.cache.keeps("Series") and not anew:
        keys = {page: access.cache.page_key(ulid, page) for page in pages}
        values = yield Lookup(list(keys.values()))
        for page, cache_key in keys.items():
            value = values.get(cache_key)
            if value is not None and len(value) == _bounds(page, header)[1] - _bounds(page, header)[0]:
                found[page] = value
        access.cache.count("Series", access.tenant, len(keys), len(found))
        if found:
            access.charge(sum(map(len, found.values())), "loading series from index cache")
            if len(pages) == 1:
                low, high = _bounds(pages[0], header)
                return found[pages[0]], np.array([[low, high, 0]], np.int64)
    read = yield from _read(ulid, key, header, [page for page in pages if page not in found], access)
    return _assemble(found, read, header)


def keep_pages(ulid: str, begin: int, data: memoryview, series: tuple[int, int], access: Access) -> None:
    """Keep the whole pages in `data`, which begins at `begin` of the index and is part of its series section."""
    end = begin + len(data)
    items = {}
    for page in range(begin // PAGE, -(-end // PAGE)):
        low, high = max(page * PAGE, series[0]), min(page * PAGE + PAGE, series[1])
        if begin <= low and high <= end:
            items[access.cache.page_key(ulid, page)] = bytes(data[low - begin : high - begin])
    access.cache.put("Series", access.tenant, items)


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
    started = time.perf_counter()
    bounds = np.array([_bounds(page, header) for page in pages], np.int64)
    arena, reads, _ = plan_reads(
        key, np.ascontiguousarray(bounds[:, 0]), np.ascontiguousarray(bounds[:, 1]), access.partitioner
    )
    access.charge(len(arena), "fetching series")
    yield reads
    for read in reads:
        if read.got != len(read.buffer):
            raise CorruptError("the index ends inside its series section", object=key, offset=read.offset + read.got)
        keep_pages(ulid, read.offset, read.buffer, header.series, access)
    access.stats.add(series_fetched_size_sum=len(arena), series_fetch_count=len(reads))
    access.metrics.series_fetch_duration_seconds.labels(access.tenant).observe(time.perf_counter() - started)
    return [(read.offset, read.buffer) for read in reads]


def _assemble(
    found: dict[int, bytes], read: list[tuple[int, memoryview]], header: IndexHeader
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
