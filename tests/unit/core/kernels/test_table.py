"""Symbols and the postings offset table, against dictionaries."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.testing.varint import put_uvarint

TEXTS = st.one_of(st.binary(max_size=4), st.sampled_from((b"", b"a", b"aa", b"ab", b"b", b"x" * 130)))
PAIRS = st.sets(st.tuples(st.sampled_from((b"", b"a", b"b", b"job", b"n" * 200)), TEXTS), max_size=40).map(sorted)
LOW, LIST = 100, 16
BEFORE, AFTER = b"\xff" * 7, b"\xee" * 5
"""What lies around a section: nothing of it may be read."""


def string(text):
    return put_uvarint(len(text)) + text


class Table:
    """A scanned table over pairs, whose lists are of 16 bytes each from offset 100 on."""

    def __init__(self, kernels, pairs, sampling):
        entries = [b"\x02" + string(n) + string(v) + put_uvarint(LOW + LIST * i) for i, (n, v) in enumerate(pairs)]
        self.kernels, self.pairs = kernels.table, pairs
        self.data = BEFORE + b"".join(entries) + AFTER
        self.base, self.end = 3, len(self.data) - len(AFTER)
        self.places = [len(BEFORE) + at - self.base for at in accumulate(map(len, entries), initial=0)]
        self.high = LOW + LIST * len(pairs)
        self.rows, self.samples = np.empty((len(pairs), 5), np.int64), np.empty(len(pairs), np.uint32)
        self.result = self.kernels.scan_postings_table(
            self.data, self.base, len(BEFORE), self.end, len(pairs), sampling, LOW, self.high, self.rows, self.samples
        )

    def row(self, name):
        """(first entry, entries, first sample, last entry, end of the last list), samples, bytes before a value."""
        status, _, names, sampled = self.result
        assert status == 0
        firsts = [self.places.index(self.rows[i, 0]) for i in range(names)]
        i = [self.pairs[first][0] for first in firsts].index(name)
        stop = self.rows[i + 1, 2] if i + 1 < names else sampled
        return self.rows[i].tolist(), self.samples[self.rows[i, 2] : stop], 1 + len(string(name))

    def find(self, name, values):
        row, samples, skip = self.row(name)
        bounds = np.array([0, *accumulate(map(len, values))], np.int64)
        out = np.empty((len(values), 2), np.int64)
        joined = b"".join(values)
        status = self.kernels.find_lists(self.data, self.base, self.end, skip, samples, row[4], joined, bounds, out)
        assert status == 0
        return [tuple(found) for found in out.tolist()]

    def listed(self, name):
        row, _, skip = self.row(name)
        spans, starts = np.empty((row[1], 2), np.int64), np.empty(row[1], np.int64)
        status, total = self.kernels.list_values(self.data, self.base, self.end, row[0], skip, spans, starts)
        assert status == 0
        values = [self.data[at : at + length] for at, length in spans.tolist()]
        assert total == sum(map(len, values))
        return values, starts.tolist()

    def expected(self, name, value):
        if (name, value) not in self.pairs:
            return -1, -1
        start = LOW + LIST * self.pairs.index((name, value))
        return start + 4, start + LIST - 4


def scan_symbols(kernels, body, count, ordered=True, base=0):
    data = BEFORE + body + AFTER
    out = np.full(count, 77, np.uint32)
    start = len(BEFORE)
    return *kernels.table.scan_symbols(data, base, start, start + len(body), ordered, out), out.tolist()


@given(texts=st.sets(TEXTS, max_size=20).map(sorted))
def test_the_position_of_every_symbol_is_found(kernels, texts):
    starts = list(accumulate((len(string(text)) for text in texts), initial=0))
    body = b"".join(map(string, texts))
    status, where, found = scan_symbols(kernels, body, len(texts), base=2)
    assert (status, where) == (0, len(BEFORE) + len(body))
    assert found == [len(BEFORE) - 2 + at for at in starts[:-1]]


@pytest.mark.parametrize("texts", [(b"b", b"a"), (b"a", b"a"), (b"ab", b"a")])
def test_symbols_out_of_order_are_damage_in_version_2_alone(kernels, texts):
    body = b"".join(map(string, texts))
    assert scan_symbols(kernels, body, 2)[:2] == (4, len(BEFORE) + len(string(texts[0])))
    assert scan_symbols(kernels, body, 2, ordered=False)[0] == 0


@pytest.mark.parametrize(
    ("body", "count", "status"),
    [
        (b"\x01a", 2, 1),
        (b"\x02a", 1, 3),
        (b"\x01a\x00", 1, 5),
        (b"", 1, 1),
        (b"\x80" * 11, 1, 1),
        (b"\xff" * 9 + b"\x02", 1, 1),
        (b"\xff" * 9 + b"\x01", 1, 3),
        (b"\x80", 1, 1),
    ],
)
def test_damaged_symbols_give_a_status(kernels, body, count, status):
    assert scan_symbols(kernels, body, count)[0] == status


def test_an_empty_symbol_table_is_sound(kernels):
    assert scan_symbols(kernels, b"", 0)[0] == 0


@given(pairs=PAIRS, sampling=st.sampled_from((1, 2, 3, 32)))
def test_a_scan_finds_every_name_and_its_values(kernels, pairs, sampling):
    table = Table(kernels, pairs, sampling)
    names = sorted({name for name, _ in pairs})
    assert table.result[:3] == (0, table.end if pairs else len(BEFORE), len(names))
    for name in names:
        values = [value for own, value in pairs if own == name]
        row, samples, _ = table.row(name)
        first = pairs.index((name, values[0]))
        places = table.places[first : first + len(values)]
        assert row[:2] == [places[0], len(values)]
        assert row[3:] == [places[-1], LOW + LIST * (first + len(values)) - 4]
        assert samples.tolist() == sorted({*places[::sampling], places[-1]})
        assert table.listed(name) == (values, [LOW + LIST * i + 4 for i in range(first, first + len(values))])


@given(pairs=PAIRS.filter(len), sampling=st.sampled_from((1, 2, 3, 32)), extra=st.lists(TEXTS, max_size=4))
def test_lists_are_found_by_value_whatever_the_sampling(kernels, pairs, sampling, extra):
    table = Table(kernels, pairs, sampling)
    for name in {name for name, _ in pairs}:
        values = [*(value for _, value in pairs), *extra]
        assert table.find(name, values) == [table.expected(name, value) for value in values]


def test_no_value_wanted_is_no_list_found(kernels):
    assert Table(kernels, [(b"a", b"x")], 32).find(b"a", []) == []


def scan(kernels, entries, count=None, low=LOW, high=LOW + 1000):
    body = b"".join(entries)
    count = len(entries) if count is None else count
    rows, samples = np.empty((count, 5), np.int64), np.empty(count, np.uint32)
    return kernels.table.scan_postings_table(
        BEFORE + body + AFTER, 0, len(BEFORE), len(BEFORE) + len(body), count, 32, low, high, rows, samples
    )


def entry(name=b"a", value=b"b", offset=LOW, keys=2):
    return put_uvarint(keys) + string(name) + string(value) + put_uvarint(offset)


@pytest.mark.parametrize(
    ("entries", "status"),
    [
        ([entry(keys=1)], 6),
        ([entry(keys=2**40)], 6),
        ([entry(offset=LOW - 1)], 8),
        ([entry(offset=LOW + 1001)], 8),
        ([entry(offset=LOW + 1000 - 11)], 10),
        ([entry(), entry(value=b"c", offset=LOW + 11)], 10),
        ([entry(offset=2**63)], 8),
        ([entry(offset=2**64 - 1)], 8),
        ([entry(offset=2**64 - 8)], 8),
        ([entry(), entry(value=b"c")], 9),
        ([entry(offset=LOW + 20), entry(value=b"c")], 9),
        ([entry(), entry(offset=LOW + 20)], 7),
        ([entry(value=b"c"), entry(offset=LOW + 20)], 7),
        ([entry(name=b"b"), entry(offset=LOW + 20)], 7),
        ([entry(name=b"aa"), entry(offset=LOW + 20)], 7),
        ([b"\x02\x05abc"], 3),
        ([b"\x02\x01a\x05bc"], 3),
        ([b"\x02\x01a\x01b"], 1),
        ([b"\x02\x01a\x01b\x80"], 1),
        ([b"\x02" + b"\xff" * 9 + b"\x01"], 3),
        ([b"\x02\x01a" + b"\xff" * 9 + b"\x01"], 3),
        ([entry(), b"\x00"], 6),
    ],
)
def test_damaged_entries_give_a_status(kernels, entries, status):
    assert scan(kernels, entries)[0] == status


def test_bytes_behind_the_last_entry_are_damage(kernels):
    assert scan(kernels, [entry(), b"\0"], count=1)[:2] == (5, len(BEFORE) + len(entry()))


def test_fewer_entries_than_counted_are_damage(kernels):
    assert scan(kernels, [entry()], count=2)[0] == 1
    assert scan(kernels, [], count=1)[0] == 1


@given(values=st.lists(st.binary(max_size=6), max_size=10))
def test_values_are_joined_between_marks(kernels, values):
    starts = list(accumulate(map(len, values), initial=0))[:-1]
    spans = np.array([(at + 1, len(value)) for at, value in zip(starts, values, strict=True)], np.int64).reshape(-1, 2)
    out, firsts = np.zeros(sum(map(len, values)) + 3 * len(values), np.uint8), np.zeros(len(values), np.int64)
    marked = kernels.table.join_values(b"?" + b"".join(values), spans, out, firsts)
    assert marked == any(byte < 2 for value in values for byte in value)
    assert out.tobytes() == b"".join(b"\0" + value + b"\x01\xff" for value in values)
    assert firsts.tolist() == [at + 3 * i for i, at in enumerate(starts)]


@pytest.mark.parametrize("span", [(-1, 2), (0, -1), (0, 5), (4, 1), (2**62, 1)])
def test_joining_values_outside_the_buffer_is_refused(kernels, span):
    with pytest.raises(ValueError, match="outside the buffer"):
        kernels.table.join_values(b"1234", np.array([span]), np.empty(9, np.uint8), np.empty(1, np.int64))


def test_arrays_that_do_not_fit_are_refused(kernels):
    rows, samples, spans = np.empty((0, 5), np.int64), np.empty(0, np.uint32), np.zeros((1, 2), np.int64)
    with pytest.raises(ValueError, match="too small"):
        kernels.table.scan_postings_table(entry(), 0, 0, len(entry()), 1, 32, 0, 10**6, rows, samples)
    with pytest.raises(ValueError, match="outside the buffer"):
        kernels.table.scan_postings_table(entry(), 0, 0, 999, 0, 32, 0, 10**6, rows, samples)
    with pytest.raises(ValueError, match="outside the buffer"):
        kernels.table.scan_symbols(b"\0", 0, 2, 1, True, samples)
    with pytest.raises(ValueError, match="outside the buffer"):
        kernels.table.find_lists(b"", 0, 0, 1, samples, 0, b"", np.zeros(1, np.int64), spans[:0])
    with pytest.raises(ValueError, match="bounds"):
        kernels.table.find_lists(b"a", 0, 1, 1, np.zeros(1, np.uint32), 0, b"ab", np.array([0, 3]), spans)
    with pytest.raises(ValueError, match="outside the buffer"):
        kernels.table.list_values(b"a", 0, 1, 2, 1, spans, np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="too small"):
        kernels.table.join_values(b"a", np.array([[0, 1]]), np.empty(3, np.uint8), np.empty(1, np.int64))
