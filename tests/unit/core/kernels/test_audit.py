"""Label pairs, their tallies, and the order of label sets, against dictionaries and Python's comparison."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.testing.varint import put_uvarint

TEXTS = st.lists(st.binary(max_size=3), max_size=12, unique=True)
PAIRS = st.tuples(st.integers(0, 4), st.sampled_from((0, 1, 2, 2**32 - 1)))
SERIES = st.lists(st.lists(PAIRS, max_size=4, unique_by=lambda pair: pair[0]).map(sorted), max_size=8)


def table_of(texts):
    """Symbols as they lie in an index, and where each begins."""
    parts = [put_uvarint(len(text)) + text for text in texts]
    return b"".join(parts), np.cumsum([0, *map(len, parts)])[:-1].astype(np.uint32)


def ordinals(kernels, symbols, texts, before=b""):
    data, positions = table_of(symbols)
    spans = np.array(
        [(at, len(text)) for at, text in zip(np.cumsum([0, *map(len, texts)]), texts, strict=False)], np.int64
    ).reshape(-1, 2)
    out = np.full(len(texts), -7, np.int64)
    bad = kernels.audit.symbol_ordinals(before + data, len(before), positions, b"".join(texts), spans, out)
    return bad, out.tolist()


@given(symbols=TEXTS.map(sorted), texts=st.lists(st.binary(max_size=3), max_size=12), rank=st.booleans())
def test_texts_are_found_among_the_symbols(kernels, symbols, texts, rank):
    texts = sorted(texts) if rank else texts
    expected = [symbols.index(text) if text in symbols else -1 for text in texts]
    assert ordinals(kernels, symbols, texts, b"head") == (-1, expected)


def test_long_texts_are_found(kernels):
    symbols = sorted(bytes([65 + n]) * (100 * n + 1) for n in range(20))
    assert ordinals(kernels, symbols, symbols) == (-1, list(range(20)))


def test_a_symbol_that_leaves_its_buffer_stops_the_search(kernels):
    spans, out = np.array([[0, 1]]), np.zeros(1, np.int64)
    assert kernels.audit.symbol_ordinals(b"\x05ab", 0, np.array([0], np.uint32), b"x", spans, out) == 0


@pytest.mark.parametrize("span", [(-1, 1), (0, -1), (0, 3)])
def test_texts_outside_their_buffer_are_refused(kernels, span):
    with pytest.raises(ValueError, match="outside its buffer"):
        kernels.audit.symbol_ordinals(
            b"\0", 0, np.array([0], np.uint32), b"ab", np.array([span]), np.zeros(1, np.int64)
        )


def columns(series):
    starts = np.cumsum([0, *map(len, series)])
    refs = np.array([ordinal for labels in series for pair in labels for ordinal in pair], np.uint32)
    return starts, refs


def number(pair):
    return pair[0] << 32 | pair[1]


def slots_of(kernels, pairs):
    numbers = np.array([number(pair) for pair in pairs], np.uint64)
    slots = np.zeros(1 << (len(pairs) + 1).bit_length(), np.int64)
    return numbers, slots, kernels.audit.fill_slots(numbers, slots)


def tally(kernels, series, pairs, weights):
    """Counts, sums, and the positions of labels that are not among the pairs."""
    numbers, slots, _ = slots_of(kernels, pairs)
    counts, sums = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.uint64)
    begin, unknown = 0, []
    while True:
        bad = kernels.audit.tally_pairs(
            *columns(series), np.array(weights, np.uint64), numbers, slots, counts, sums, begin
        )
        if bad < 0:
            return counts.tolist(), sums.tolist(), unknown
        unknown.append(bad)
        begin = bad + 1


@given(series=SERIES, pairs=st.lists(PAIRS, max_size=12, unique=True), data=st.data())
def test_pairs_are_counted_and_weighed(kernels, series, pairs, data):
    weights = [data.draw(st.sampled_from((0, 1, 7, 2**64 - 1))) for _ in series]
    counts, sums, unknown = tally(kernels, series, pairs, weights)
    flat = [(pair, weight) for labels, weight in zip(series, weights, strict=True) for pair in labels]
    expected = Counter(pair for pair, _ in flat)
    assert counts == [expected[pair] for pair in pairs]
    assert sums == [sum(weight for own, weight in flat if own == pair) % 2**64 for pair in pairs]
    assert unknown == [at for at, (pair, _) in enumerate(flat) if pair not in pairs]


def test_a_pair_that_is_there_twice_is_told(kernels):
    assert slots_of(kernels, [(1, 1), (1, 2), (1, 1)])[2] == 2


@given(series=SERIES)
def test_series_out_of_order_are_told(kernels, series):
    expected = [i for i in range(1, len(series)) if series[i] <= series[i - 1]]
    found = []
    at = kernels.audit.first_unordered(*columns(series), 0)
    while at >= 0:
        found.append(at)
        at = kernels.audit.first_unordered(*columns(series), at + 1)
    assert found == expected


def test_arrays_that_do_not_fit_are_refused(kernels):
    starts, refs = columns([[(1, 2)], [(1, 3)]])
    pairs, slots, _ = slots_of(kernels, [(1, 2)])
    one, weights = np.zeros(1, np.int64), np.ones(2, np.uint64)
    sums = np.zeros(1, np.uint64)
    calls = [
        lambda: kernels.audit.first_unordered(starts, refs[:3], 0),
        lambda: kernels.audit.first_unordered(starts[::-1].copy(), refs, 0),
        lambda: kernels.audit.tally_pairs(starts, refs, weights[:1], pairs, slots, one, sums, 0),
        lambda: kernels.audit.tally_pairs(starts, refs, weights, pairs, slots, one[:0], sums, 0),
        lambda: kernels.audit.tally_pairs(starts, refs, weights, pairs, slots[:1], one, sums, 0),
        lambda: kernels.audit.tally_pairs(starts, refs, weights, pairs, slots[:3], one, sums, 0),
        lambda: kernels.audit.fill_slots(pairs, one),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"do not fit|too small"):
            call()
