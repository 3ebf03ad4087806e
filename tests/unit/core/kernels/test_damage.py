"""Damaged input: every kernel that reads bytes of a block gives a status, and never leaves its buffers.

The plain form would raise an IndexError; AddressSanitizer (tox env `asan`) watches the compiled one.
"""

from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from storegate.kernels import explain
from storegate.testing.chunks import build_aggregate
from storegate.testing.crc32c import crc32c
from storegate.testing.index_writer import ChunkEntry, IndexSeries, build_index, series_body
from storegate.testing.segment_writer import chunk_entry
from storegate.testing.strategies import damaged
from storegate.testing.varint import put_uvarint

INDEX = build_index(
    [
        IndexSeries(
            ((b"__name__", b"up"), (b"job", b"a"), (b"pod", b"p-%d" % i)),
            [ChunkEntry(10 * k, 10 * k + 9, 8 + 40 * (3 * i + k)) for k in range(3)],
        )
        for i in range(40)
    ]
)
DATA = INDEX.data
SYMBOLS_AT, _, _, _, POSTINGS_AT, TABLE_AT = struct.unpack(">6Q", DATA[-52:-4])


def body_of(at):
    """The body of the section at `at`."""
    return DATA[at + 4 : at + 4 + int.from_bytes(DATA[at : at + 4], "big")]


SYMBOLS, TABLE = body_of(SYMBOLS_AT), body_of(TABLE_AT)
POSTINGS = DATA[POSTINGS_AT:TABLE_AT]
BODY = series_body([(1, 2), (3, 4)], [ChunkEntry(10 * k, 10 * k + 9, 8 + 40 * k) for k in range(4)])
AGGREGATES = build_aggregate(count=(1, b"abc"), sum=(1, b"de"), counter=(3, bytes(200)))


def sealed(body):
    return put_uvarint(len(body)) + body + struct.pack(">I", crc32c(body))


def resealed(chunk):
    """A chunk entry around these bytes of encoding and data."""
    return put_uvarint(max(0, len(chunk) - 1)) + chunk + struct.pack(">I", crc32c(chunk))


def is_known(status):
    return status == 0 or not explain(status).startswith("unknown damage")


@given(body=damaged(SYMBOLS))
@example(body=b"")
def test_symbols(kernels, body):
    count = min(int.from_bytes(body[:4], "big"), len(body))
    out = np.zeros(count, np.uint32)
    start = min(4, len(body))
    status, where = kernels.table.scan_symbols(body, 0, start, len(body), True, out)
    assert is_known(status)
    assert 0 <= where <= len(body)
    if status == 0:
        assert all(start <= at < len(body) for at in out.tolist())


@given(body=damaged(TABLE), sampling=st.sampled_from((1, 3, 32)))
@example(body=b"", sampling=1)
def test_the_postings_table(kernels, body, sampling):
    count = min(int.from_bytes(body[:4], "big"), len(body) // 4)
    rows, samples = np.zeros((count, 5), np.int64), np.zeros(count, np.uint32)
    start = min(4, len(body))
    status, where, names, sampled = kernels.table.scan_postings_table(
        body, 0, start, len(body), count, sampling, POSTINGS_AT, TABLE_AT, rows, samples
    )
    assert is_known(status)
    assert 0 <= where <= len(body)
    if status == 0:
        for i, row in enumerate(rows[:names].tolist()):
            stop = rows[i + 1, 2] if i + 1 < names else sampled
            look_up(kernels, body, row, samples[row[2] : stop])


def look_up(kernels, body, row, samples):
    """Look-ups in a table that a scan has passed, or that was damaged afterwards."""
    for skip in (1, 10):
        out, spans = np.zeros((3, 2), np.int64), np.zeros((row[1], 2), np.int64)
        bounds = np.array([0, 1, 4, 4])
        status = kernels.table.find_lists(body, 0, len(body), skip, samples, row[4], b"up-1", bounds, out)
        assert is_known(status)
        starts = np.zeros(len(spans), np.int64)
        status, _ = kernels.table.list_values(body, 0, len(body), row[0], skip, spans, starts)
        assert is_known(status)
        if status == 0:
            joined = np.zeros(int(spans[:, 1].sum()) + 3 * len(spans), np.uint8)
            kernels.table.join_values(body, spans, joined, np.zeros(len(spans), np.int64))


@given(body=damaged(TABLE).filter(lambda body: len(body) == len(TABLE)), row=st.integers(0, 3))
def test_look_ups_in_a_table_that_was_damaged_after_it_was_checked(kernels, body, row):
    count = int.from_bytes(TABLE[:4], "big")
    rows, samples = np.zeros((count, 5), np.int64), np.zeros(count, np.uint32)
    _, _, names, sampled = kernels.table.scan_postings_table(
        TABLE, 0, 4, len(TABLE), count, 4, POSTINGS_AT, TABLE_AT, rows, samples
    )
    stop = rows[row + 1, 2] if row + 1 < names else sampled
    look_up(kernels, body, rows[row].tolist(), samples[rows[row, 2] : stop])


@given(
    data=damaged(POSTINGS),
    spans=st.lists(st.tuples(st.integers(0, len(POSTINGS)), st.integers(0, 200)), min_size=1, max_size=4),
)
def test_postings(kernels, data, spans):
    clipped = [(min(at, len(data)), min(at + length, len(data))) for at, length in [(4, 172), *spans]]
    lists = np.array(clipped, np.int64)
    status, total = kernels.postings.count_postings(data, lists)
    assert is_known(status)
    if status == 0:
        cuts, out = np.zeros(len(lists) + 1, np.int64), np.zeros(total, np.uint32)
        status, where = kernels.postings.decode_postings(data, lists, cuts, out)
        assert is_known(status)
        assert status == 0 or 0 <= where < len(lists)


@given(
    body=damaged(SYMBOLS).filter(lambda body: len(body) == len(SYMBOLS)),
    last=st.booleans(),
    room=st.integers(0, 4096),
)
def test_symbols_that_were_damaged_after_they_were_checked(kernels, body, last, room):
    count = int.from_bytes(SYMBOLS[:4], "big")
    positions, nothing = np.zeros(count, np.uint32), np.zeros(0, np.int64)
    assert kernels.table.scan_symbols(SYMBOLS, 0, 4, len(SYMBOLS), True, positions)[0] == 0
    refs = np.array([ref for k in range(1, count) for ref in (k, count - k if last else k)], np.uint32)
    with suppress(ValueError):  # a symbol that goes past the end of the buffer
        kernels.labels.encode_labels(
            body, positions, 0, np.arange(count), refs, nothing, nothing, b"", np.zeros(1, np.int64),
            np.empty(room, np.uint8), np.zeros(count, np.int64), 0,
        )  # fmt: skip


def decode(kernels, arena, places, want=True):
    n = len(places)
    state = np.zeros(6, np.int64)
    return kernels.series.decode_series(
        arena, np.array(places, np.int64), 0, 1000, want, 200, state, np.zeros(n, np.int64), np.zeros(n + 1, np.int64),
        np.zeros(len(arena) // 2 * 2, np.uint32), np.zeros(n + 1, np.int64), np.zeros((len(arena) // 3, 4), np.int64),
    )  # fmt: skip


@given(arena=damaged(sealed(BODY) * 3), want=st.booleans())
def test_series_with_checksums_that_may_not_match(kernels, arena, want):
    size = len(sealed(BODY))
    places = [(min(i * size, len(arena) - 3 + i), min(i * size + size, len(arena))) for i in range(3)]
    if len(arena) >= 3 and all(start <= stop for start, stop in places):
        assert is_known(decode(kernels, arena, places, want))


@given(body=damaged(BODY), want=st.booleans(), cut=st.integers(0, 3))
def test_series_with_checksums_that_do_match(kernels, body, want, cut):
    arena = sealed(body)
    assert is_known(decode(kernels, arena[: len(arena) - cut], [(0, len(arena) - cut)], want))


def parse(kernels, arena, places):
    m = len(places)
    state, sub_start = np.zeros(3, np.int64), np.zeros(m + 1, np.int64)
    subs, hashes = np.zeros((5 * m, 4), np.int64), np.zeros(5 * m, np.uint64)
    status = kernels.chunks.parse_chunks(arena, np.array(places, np.int64), 0b111111, state, sub_start, subs, hashes)
    assert is_known(status)
    if status == 0:
        for _, _, at, length in subs[: sub_start[m]].tolist():
            assert 0 <= at <= at + length <= len(arena)


@given(entry=damaged(chunk_entry(1, bytes(150))), others=st.integers(0, 2))
def test_chunks_with_checksums_that_may_not_match(kernels, entry, others):
    before = chunk_entry(2, b"abc") * others
    size = len(chunk_entry(2, b"abc"))
    arena = before + entry
    parse(kernels, arena, [(size * i, size * i + size) for i in range(others)] + [(len(before), len(arena))])


@given(data=damaged(b"\xff" + AGGREGATES))
def test_chunks_with_checksums_that_do_match(kernels, data):
    arena = resealed(data)
    parse(kernels, arena, [(0, len(arena))])


@given(data=st.binary(max_size=60), start=st.integers(0, 60))
def test_any_bytes(kernels, data, start):
    start = min(start, len(data))
    parse(kernels, data, [(start, len(data))])
    if data:
        assert is_known(decode(kernels, data, [(start, len(data))]))
    assert is_known(kernels.postings.count_postings(data, np.array([(start, len(data))]))[0])
    assert is_known(
        kernels.table.scan_symbols(data, 0, start, len(data), False, np.zeros(len(data) // 2, np.uint32))[0]
    )


@given(
    keys=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5),
    nexts=st.lists(st.integers(0, 2**32 - 1), min_size=5, max_size=5),
    size=st.integers(0, 2**33),
)
def test_chunk_refs(kernels, keys, nexts, size):
    m = len(keys)
    order, starts, ends = (np.zeros(m, np.int64) for _ in range(3))
    rows = np.array([(0, 0, key, following) for key, following in zip(keys, nexts, strict=False)])
    status, _ = kernels.plan.plan_chunks(
        rows, np.array([(16000, size)] * 3), order, np.zeros(m, np.int64), starts, ends, np.zeros(4, np.int64)
    )
    assert is_known(status)
    if status == 0:
        assert (starts < 2**32).all()
