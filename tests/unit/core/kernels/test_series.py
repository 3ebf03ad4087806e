"""Series entries into columns, against the structures that they were written from."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.testing.crc32c import crc32c
from storegate.testing.index_writer import ChunkEntry, series_body
from storegate.testing.varint import put_uvarint

SYMBOLS = 50
SHORT = 100
EARLIEST, LATEST = -(2**63), 2**63 - 1

TIMES = st.one_of(st.integers(-100, 100), st.integers(-(2**62), 2**62))
CHUNKS = st.builds(
    lambda mint, length, segment, offset: ChunkEntry(mint, mint + length, segment << 32 | offset),
    TIMES,
    st.one_of(st.integers(0, 50), st.integers(0, 2**61)),
    st.integers(0, 3),
    st.one_of(st.integers(8, 200), st.integers(8, 2**32 - 1)),
)
LABELS = st.lists(
    st.tuples(st.integers(0, SYMBOLS - 1), st.integers(0, SYMBOLS - 1)),
    min_size=1,
    max_size=5,
    unique_by=lambda p: p[0],
)
SERIES = st.lists(st.tuples(LABELS, st.lists(CHUNKS, max_size=5)), max_size=6)


def entry(body):
    return put_uvarint(len(body)) + body + struct.pack(">I", crc32c(body))


@dataclass
class Decoded:
    """What a call of `decode_series` gave."""

    status: int
    state: list[int]
    rows: list[int]
    labels: list[list[tuple[int, int]]]
    chunks: list[list[tuple[int, ...]]]


def decode(kernels, arena, places, tmin=EARLIEST, tmax=LATEST, want=True, symbols=SYMBOLS):
    n = len(places)
    state, rows = np.zeros(6, np.int64), np.zeros(n, np.int64)
    label_start, chunk_start = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    refs, chunks = np.zeros(len(arena) // 2 * 2, np.uint32), np.zeros((len(arena) // 3, 4), np.int64)
    where = np.array(places, np.int64).reshape(-1, 2)
    status = kernels.series.decode_series(
        arena, where, tmin, tmax, want, symbols, state, rows, label_start, refs, chunk_start, chunks
    )
    kept = int(state[1])
    pairs = [tuple(pair) for pair in refs.reshape(-1, 2).tolist()]
    metas = [tuple(meta) for meta in chunks.tolist()]
    cuts, chunk_cuts = label_start.tolist(), chunk_start.tolist()
    return Decoded(
        status,
        state.tolist(),
        rows[:kept].tolist(),
        [pairs[cuts[i] : cuts[i + 1]] for i in range(kept)],
        [metas[chunk_cuts[i] : chunk_cuts[i + 1]] for i in range(kept)],
    )


def laid_out(bodies):
    """An arena of entries with a byte between them, and their places."""
    arena, places = b"", []
    for body in bodies:
        arena += b"?"
        data = entry(body)
        places.append((len(arena), len(arena) + len(data)))
        arena += data
    return arena, places


def naive_chunks(chunks, tmin, tmax):
    taken = []
    for i, chunk in enumerate(chunks):
        if chunk.max_time < tmin or chunk.min_time > tmax:
            continue
        following = chunks[i + 1].ref if i + 1 < len(chunks) else 0
        known = following >> 32 == chunk.ref >> 32 and following > chunk.ref
        taken.append((chunk.min_time, chunk.max_time, chunk.ref, following & 0xFFFFFFFF if known else 0))
    return taken


@given(series=SERIES, times=st.tuples(TIMES, TIMES).map(sorted), everything=st.booleans())
def test_series_with_a_chunk_in_time_are_kept(kernels, series, times, everything):
    tmin, tmax = (EARLIEST, LATEST) if everything else times
    bodies = [series_body(labels, chunks) for labels, chunks in series]
    found = decode(kernels, *laid_out(bodies), tmin, tmax)
    expected = [(i, labels, naive_chunks(chunks, tmin, tmax)) for i, (labels, chunks) in enumerate(series)]
    expected = [(i, sorted(labels), chunks) for i, labels, chunks in expected if chunks]
    assert found.status == 0
    assert list(zip(found.rows, found.labels, found.chunks, strict=True)) == expected
    assert found.state[:5] == [
        len(series),
        len(expected),
        sum(len(labels) for _, labels, _ in expected),
        sum(len(chunks) for _, _, chunks in expected),
        sum(map(len, bodies)),
    ]


@given(series=SERIES, times=st.tuples(TIMES, TIMES).map(sorted))
def test_without_chunks_the_same_series_are_kept(kernels, series, times):
    arena, places = laid_out([series_body(labels, chunks) for labels, chunks in series])
    full, bare = (decode(kernels, arena, places, *times, want) for want in (True, False))
    assert (bare.status, bare.rows, bare.labels) == (full.status, full.rows, full.labels)
    assert bare.chunks == [[] for _ in bare.rows]


@given(cut=st.integers(1, 30), value=st.integers(0, 200))
def test_an_entry_that_goes_on_behind_its_run_is_short(kernels, cut, value):
    bodies = [series_body([(1, 2)], [ChunkEntry(0, 10, 8)]), series_body([(1, 3)], [ChunkEntry(0, 10, 8)] * 40)]
    arena, places = laid_out(bodies)
    places[1] = (places[1][0], places[1][1] - cut)
    found = decode(kernels, arena, places)
    assert (found.status, found.state[0], found.rows) == (SHORT, 1, [0])
    assert found.state[5] == places[1][0]


@pytest.mark.parametrize("cut", [1, 2])
def test_a_length_that_is_cut_off_is_short(kernels, cut):
    arena = entry(series_body([(1, 2)], [ChunkEntry(0, 10, 8)] * 50))[:cut]
    assert decode(kernels, arena, [(0, min(cut, 1))]).status == SHORT


def test_a_call_goes_on_where_the_last_one_stopped(kernels):
    arena, places = laid_out([series_body([(1, i)], [ChunkEntry(i, i, 8 + i)]) for i in range(3)])
    n = len(places)
    state, rows = np.zeros(6, np.int64), np.zeros(n, np.int64)
    label_start, chunk_start = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    refs, chunks = np.zeros(len(arena) // 2 * 2, np.uint32), np.zeros((len(arena) // 3, 4), np.int64)
    short, whole = np.array(places), np.array(places)
    short[1, 1] -= 1
    outputs = (EARLIEST, LATEST, True, SYMBOLS, state, rows, label_start, refs, chunk_start, chunks)
    assert kernels.series.decode_series(arena, short, *outputs) == SHORT
    assert kernels.series.decode_series(arena, whole, *outputs) == 0
    assert (rows.tolist(), label_start.tolist(), chunk_start.tolist()) == ([0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3])
    assert refs[:6].tolist() == [1, 0, 1, 1, 1, 2]
    assert chunks[:3, 2].tolist() == [8, 9, 10]


PAIR, CHUNK = b"\x01\x01\x02", b"\x01\x00\x00\x08"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 14),
        (b"\x80", 14),
        (b"\x05" + bytes(4), 14),
        (b"\xff" * 9 + b"\x01" + bytes(9), 14),
        (b"\x00" + CHUNK, 18),
        (PAIR, 15),
        (PAIR + b"\x02" + bytes(5), 15),
        (PAIR + b"\xff" * 9 + b"\x01" + bytes(9), 15),
        (b"\x01" + put_uvarint(SYMBOLS) + b"\x01" + CHUNK, 16),
        (b"\x01\x01" + put_uvarint(SYMBOLS) + CHUNK, 16),
        (b"\x01\x01" + put_uvarint(2**64 - 1) + CHUNK, 16),
        (PAIR + b"\x01\x00\x00\x80", 1),
        (PAIR + b"\x01\x00\x80\x80", 1),
        (PAIR + b"\x01\x80\x80\x80", 1),
        (PAIR + b"\x01\x00\x00\x07", 20),
        (PAIR + b"\x01\x00\x00" + put_uvarint(2**63 + 8), 20),
        (PAIR + b"\x02\x00\x00\x08\x00\x00\x11", 20),
        (PAIR + CHUNK + b"\x00", 17),
    ],
)
def test_damaged_entries_give_a_status(kernels, body, status):
    arena, places = laid_out([series_body([(1, 2)], [ChunkEntry(0, 1, 8)]), body])
    found = decode(kernels, arena, places)
    assert (found.status, found.rows, found.state[0], found.state[5]) == (status, [0], 1, places[1][0])


def test_a_wrong_checksum_is_damage(kernels):
    arena, places = laid_out([series_body([(1, 2)], [ChunkEntry(0, 1, 8)])])
    assert decode(kernels, arena[:-1] + bytes([arena[-1] ^ 1]), places).status == 13


def test_a_length_of_more_than_64_bits_is_damage(kernels):
    assert decode(kernels, b"\xff" * 20, [(0, 20)]).status == 12


def small_bytes(labels, chunks):
    """An entry every byte of which is a varint of its own, so that it can hide in another entry."""
    for value in range(SYMBOLS):
        data = entry(series_body([*labels, (1, value)], chunks))
        if max(data) < 128:
            return data
    raise AssertionError("no checksum is made of small bytes")


@pytest.mark.parametrize("want", [True, False])
def test_labels_of_entries_inside_one_another_do_not_overflow_the_output(kernels, want):
    inner = small_bytes([(1, 1)] * 40, [ChunkEntry(0, 0, 8)])
    numbers = [3, *inner] + [1] * (len(inner) % 2 == 0)
    outer = entry(series_body([tuple(numbers[i : i + 2]) for i in range(0, len(numbers), 2)], [ChunkEntry(0, 0, 8)]))
    places = [(0, len(outer)), (outer.index(inner), len(outer))]
    assert decode(kernels, outer, places, want=want, symbols=2**32).status == 14


def test_chunks_of_entries_inside_one_another_do_not_overflow_the_output(kernels):
    inner = small_bytes([], [ChunkEntry(0, 0, 8)] * 35)
    padded = inner + bytes(-len(inner) % 3)
    body = PAIR + bytes([1 + len(padded) // 3, 0, 0]) + put_uvarint(2**20) + padded
    outer = entry(body)
    assert decode(kernels, outer, [(0, len(outer))]).status == 0
    assert decode(kernels, outer, [(0, len(outer)), (outer.index(inner), len(outer))]).status == 15


def test_places_outside_the_arena_are_refused(kernels):
    for places in ([(-1, 3)], [(0, 11)], [(5, 4)], [(2, 5), (2, 6)], [(4, 5), (2, 6)]):
        with pytest.raises(ValueError, match="outside the arena"):
            decode(kernels, bytes(10), places)


def test_no_entries_are_no_series(kernels):
    assert decode(kernels, b"", []).status == 0


@given(
    refs=st.sets(st.integers(0, 40), max_size=12).map(sorted),
    cuts=st.lists(st.integers(0, 160), max_size=8, unique=True).map(sorted),
    scale=st.sampled_from((1, 4)),
)
def test_entries_are_located_in_runs(kernels, refs, cuts, scale):
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    starts = np.cumsum([3, *(stop - start for start, stop in spans)])[:-1].tolist() if spans else []
    runs = np.array([(*span, at) for span, at in zip(spans, starts, strict=True)], np.int64).reshape(-1, 3)
    out = np.full((len(refs), 2), -7, np.int64)
    bad = kernels.series.locate(np.array(refs, np.uint32), scale, runs, out)
    expected = []
    for ref in refs:
        run = next((i for i, (start, stop) in enumerate(spans) if start <= ref * scale < stop), None)
        if run is None:
            break
        start, stop = spans[run]
        expected.append([starts[run] + ref * scale - start, starts[run] + stop - start])
    assert bad == (-1 if len(expected) == len(refs) else len(expected))
    assert out[: len(expected)].tolist() == expected


def test_refs_beyond_4_gib_are_located(kernels):
    out = np.empty((1, 2), np.int64)
    runs = np.array([(2**35, 2**36, 5)])
    assert kernels.series.locate(np.array([2**32 - 16], np.uint32), 16, runs, out) == -1
    assert out.tolist() == [[2**36 - 256 - 2**35 + 5, 2**35 + 5]]


@given(sets=st.lists(LABELS, max_size=5), name=st.integers(0, SYMBOLS))
def test_a_column_holds_the_value_of_a_label(kernels, sets, name):
    starts = np.cumsum([0, *map(len, sets)])
    refs = np.array([ordinal for labels in sets for pair in labels for ordinal in pair], np.uint32)
    out = np.zeros(len(sets), np.int64)
    kernels.series.label_column(starts, refs, name, out)
    assert out.tolist() == [dict(labels).get(name, -1) for labels in sets]
