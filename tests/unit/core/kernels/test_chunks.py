"""Chunks in an arena: what is in them, and the fold of duplicates (StoreAPI 7.2)."""

from __future__ import annotations

from functools import cmp_to_key
from itertools import accumulate, pairwise

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from storegate.testing.chunks import AGGREGATES, build_aggregate
from storegate.testing.segment_writer import chunk_entry
from storegate.testing.varint import put_uvarint

RAW, COUNT, SUM, MIN, MAX, COUNTER = range(3, 9)
"""Fields of AggrChunk."""
FIELDS = dict(zip(AGGREGATES, range(4, 9), strict=True))
EVERYTHING = 0b111111
SHORT = 100


# --- parse ---


class Parsed:
    """What `parse_chunks` made of entries that lie end to end."""

    def __init__(self, kernels, arena, places, wanted=EVERYTHING):
        m = len(places)
        state, self.starts = np.zeros(3, np.int64), np.zeros(m + 1, np.int64)
        self.subs, self.hashes = np.full((5 * m, 4), -1, np.int64), np.zeros(5 * m, np.uint64)
        where = np.array(places, np.int64).reshape(-1, 2)
        self.arena = arena
        self.status = kernels.chunks.parse_chunks(arena, where, wanted, state, self.starts, self.subs, self.hashes)
        self.at, self.detail, self.size = state.tolist()

    def chunk(self, i):
        """{field: (encoding on the wire, data)} of a chunk; hashes are checked on the way."""
        found = {}
        for s in range(self.starts[i], self.starts[i + 1]):
            field, encoding, at, length = self.subs[s].tolist()
            data = self.arena[at : at + length]
            assert int(self.hashes[s]) == xxhash.xxh64_intdigest(data)
            found[field] = (encoding, data)
        return found


def laid_out(entries):
    cuts = [*accumulate(map(len, entries), initial=0)]
    return b"".join(entries), list(pairwise(cuts))


CHUNK_DATA = st.binary(max_size=200)
SLOTS = st.dictionaries(
    st.sampled_from(AGGREGATES), st.tuples(st.integers(1, 3), st.binary(min_size=1, max_size=40)), max_size=5
)


@given(chunks=st.lists(st.tuples(st.integers(1, 3), CHUNK_DATA), max_size=6))
def test_chunks_of_samples_are_raw(kernels, chunks):
    arena, places = laid_out([chunk_entry(*chunk) for chunk in chunks])
    parsed = Parsed(kernels, arena, [(start, len(arena)) for start, _ in places])
    assert (parsed.status, parsed.at, parsed.size) == (0, len(chunks), sum(len(data) for _, data in chunks))
    for i, (encoding, data) in enumerate(chunks):
        assert parsed.chunk(i) == {RAW: (encoding - 1, data)}


@given(chunks=st.lists(SLOTS, max_size=4), wanted=st.integers(0, EVERYTHING))
def test_wanted_aggregates_that_are_there_are_given(kernels, chunks, wanted):
    arena, places = laid_out([chunk_entry(255, build_aggregate(**slots)) for slots in chunks])
    parsed = Parsed(kernels, arena, places, wanted)
    assert parsed.status == 0
    for i, slots in enumerate(chunks):
        asked = {FIELDS[name]: slot for name, slot in slots.items() if wanted >> FIELDS[name] - 3 & 1}
        assert parsed.chunk(i) == {field: (encoding - 1, data) for field, (encoding, data) in asked.items()}


@pytest.mark.parametrize("wanted", [0, 1, EVERYTHING])
def test_raw_chunks_are_given_whatever_is_wanted(kernels, wanted):
    arena, places = laid_out([chunk_entry(1, b"xy")])
    assert Parsed(kernels, arena, places, wanted).chunk(0) == {RAW: (0, b"xy")}


@pytest.mark.parametrize("have", [1, 2, 3, 100, 302, 303, 306])
def test_a_chunk_that_was_cut_off_says_what_it_needs(kernels, have):
    arena, _ = laid_out([chunk_entry(1, b"a"), chunk_entry(1, bytes(300))])
    begin = len(chunk_entry(1, b"a"))
    parsed = Parsed(kernels, arena, [(0, begin), (begin, begin + have)])
    need = 2 + 1 + 300 + 4
    assert (parsed.status, parsed.at, parsed.detail) == (SHORT, 1, need if have > 1 else 32)


@pytest.mark.parametrize(
    ("entry", "status", "detail"),
    [
        (b"\x80" * 5 + b"\x01" + bytes(20), 21, 0),
        (chunk_entry(1, b"abc")[:-1] + b"!", 23, 0),
        (chunk_entry(0, b"abc"), 24, 0),
        (chunk_entry(4, b"abc"), 24, 4),
        (chunk_entry(254, b"abc"), 24, 254),
        (chunk_entry(255, b""), 25, 0),
        (chunk_entry(255, bytes(4)), 25, 0),
        (chunk_entry(255, bytes(6)), 25, 0),
        (chunk_entry(255, b"\x02\x01a" + bytes(3)), 25, 0),
        (chunk_entry(255, b"\x01\x00a" + bytes(4)), 25, 0),
        (chunk_entry(255, b"\x01\x04a" + bytes(4)), 25, 0),
        (chunk_entry(255, b"\x01\xffa" + bytes(4)), 25, 0),
        (chunk_entry(255, bytes(4) + b"\x01"), 25, 0),
        (chunk_entry(255, bytes(4) + b"\x01\x01"), 25, 0),
        (chunk_entry(255, bytes(4) + put_uvarint(2**34) + b"\x01"), 25, 0),
    ],
)
def test_damaged_chunks_give_a_status(kernels, entry, status, detail):
    arena, places = laid_out([chunk_entry(1, b"ab"), entry])
    parsed = Parsed(kernels, arena, places)
    assert (parsed.status, parsed.at, parsed.detail) == (status, 1, detail)


def test_places_outside_the_arena_are_refused(kernels):
    for place in ((-1, 3), (0, 5), (3, 2)):
        with pytest.raises(ValueError, match="outside the arena"):
            Parsed(kernels, bytes(4), [place])


# --- fold ---

FOLD_ORDER = (RAW, COUNT, MAX, MIN, SUM, COUNTER)
SORT_ORDER = (RAW, COUNT, SUM, MIN, MAX, COUNTER)

SUBS = st.dictionaries(
    st.sampled_from(SORT_ORDER), st.tuples(st.integers(0, 2), st.sampled_from((b"", b"a", b"ab", b"b", b"c")))
)
CONTRIBUTIONS = st.lists(
    st.lists(st.tuples(st.tuples(st.integers(-2, 2), st.integers(0, 2)), SUBS), max_size=4), min_size=1, max_size=3
)


def fold(kernels, series):
    """`series` are lists of contributions, these lists of ((mint, maxt), {field: (encoding, data)})."""
    chunks = [chunk for contributions in series for part in contributions for chunk in part]
    arena, subs, hashes, sub_start = b"", [], [], [0]
    for _, fields in chunks:
        for field, (encoding, data) in sorted(fields.items()):
            subs.append((field, encoding, len(arena), len(data)))
            hashes.append(xxhash.xxh64_intdigest(data))
            arena += data
        sub_start.append(len(subs))
    sizes = [sum(map(len, contributions)) for contributions in series]
    groups = np.array([*accumulate(sizes, initial=0)], np.int64)
    firsts = np.array([*accumulate((len(contributions[0]) for contributions in series), initial=0)], np.int64)
    times = np.array([pair for pair, _ in chunks], np.int64).reshape(-1, 2)
    kept, kept_start = kernels.chunks.fold_chunks(
        arena, groups, np.arange(len(series)), firsts, times,
        np.array(sub_start, np.int64), np.array(subs, np.int64).reshape(-1, 4), np.array(hashes, np.uint64),
    )  # fmt: skip
    assert len(kept) == kept_start[-1]
    return [[chunks[i] for i in kept[a:b].tolist()] for a, b in pairwise(kept_start.tolist())]


def naive_order(a, b):
    (a_times, a_fields), (b_times, b_fields) = a, b
    if a_times != b_times:
        return -1 if a_times < b_times else 1
    for field in SORT_ORDER:
        x, y = a_fields.get(field), b_fields.get(field)
        if (x is None) != (y is None):
            return 1 if x is None else -1
        if x is not None and x[0] != y[0]:
            return -1 if x[0] < y[0] else 1
        if x is not None and x[1] != y[1]:
            return -1 if x[1] > y[1] else 1
    return 0


def naive_fold(contributions):
    seen, kept = set(), []
    for chunk in (chunk for part in contributions for chunk in part):
        data = [chunk[1][field][1] for field in FOLD_ORDER if field in chunk[1]]
        new = [one for one in data if one not in seen]
        if new:
            seen.add(new[0])
            kept.append(chunk)
    return sorted(kept, key=cmp_to_key(naive_order)) if kept else contributions[0]


@given(series=st.lists(CONTRIBUTIONS, max_size=3))
def test_chunks_fold_as_the_storeapi_says(kernels, series):
    assert fold(kernels, series) == [naive_fold(contributions) for contributions in series]


def raw(times, data, encoding=0):
    return times, {RAW: (encoding, data)}


def test_replicas_with_the_same_chunks_become_one(kernels):
    first = [raw((0, 9), b"a"), raw((10, 19), b"b")]
    assert fold(kernels, [[first, [*first, raw((20, 29), b"c")]]]) == [[*first, raw((20, 29), b"c")]]


def test_equal_times_are_broken_by_encoding_then_by_larger_data(kernels):
    chunks = [raw((0, 9), b"a"), raw((0, 9), b"ab"), raw((0, 9), b"b", 1), raw((0, 9), b"c"), raw((0, 8), b"d")]
    assert fold(kernels, [[chunks]]) == [[chunks[4], chunks[3], chunks[1], chunks[0], chunks[2]]]


def test_chunks_without_data_are_those_of_the_first_contributor(kernels):
    empty = [((5, 6), {}), ((0, 1), {})]
    assert fold(kernels, [[empty, [((0, 9), {})]]]) == [empty]


def test_many_chunks_of_one_series_are_sorted(kernels):
    chunks = [raw((-i, 0), bytes([i])) for i in range(40)]
    assert fold(kernels, [[chunks]]) == [chunks[::-1]]


def test_hashes_are_forgotten_between_series(kernels):
    assert fold(kernels, [[[raw((0, 1), b"a")]], [[raw((0, 1), b"a")]]]) == [[raw((0, 1), b"a")]] * 2


def test_many_chunks_of_one_series_are_all_kept(kernels):
    chunks = [raw((0, i), bytes([i])) for i in range(200)]
    assert fold(kernels, [[chunks]]) == [chunks]


@pytest.mark.parametrize("firsts", [[0, 3], [0]])
def test_a_first_contributor_outside_its_series_is_refused(kernels, firsts):
    nothing = np.zeros((2, 4), np.int64)
    with pytest.raises(ValueError, match=r"first contributor|outside the chunks"):
        kernels.chunks.fold_chunks(
            b"", np.array([0, 2]), np.array([0]), np.array(firsts), nothing, np.zeros(3, np.int64), nothing[:0],
            np.empty(0, np.uint64),
        )  # fmt: skip
