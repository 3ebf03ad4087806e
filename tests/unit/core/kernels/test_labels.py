"""Encoded label sets: built, compared, sorted and sharded, against protobuf and tuples."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate, pairwise

import numpy as np
import pytest
import xxhash
from hypothesis import example, given
from hypothesis import strategies as st

from storegate.testing.varint import put_uvarint
from storegate_proto.store.storepb.types_pb2 import Series

NAMES = (b"__name__", b"a", b"aa", b"ab", b"b", b"job", b"k" * 130, b"region", "ö".encode())
VALUES = (b"1", b"10", b"2", b"A", b"a", b"a" * 200, b"b", b"job", "ü".encode())
SYMBOLS = sorted({b"", *NAMES, *VALUES})
LABELS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from((*VALUES, b"")), max_size=5)
SETS = st.lists(LABELS, max_size=8)
EXTERNAL = st.dictionaries(st.sampled_from((*NAMES, b"Z", b"c", b"zz")), st.sampled_from((*VALUES, b"x")), max_size=3)


class Encoder:
    """Calls `encode_labels` with symbols of its own."""

    def __init__(self, kernels):
        self.kernel = kernels.labels
        self.data = b"?" * 5 + b"".join(put_uvarint(len(text)) + text for text in SYMBOLS)
        sizes = [len(put_uvarint(len(text)) + text) for text in SYMBOLS]
        self.positions = np.array([3 + at for at in accumulate(sizes, initial=0)][:-1], np.uint32)

    def pairs(self, sets):
        """(label_start, label_refs) of sets, each ascending by name."""
        sets = [sorted(labels.items()) for labels in sets]
        refs = [SYMBOLS.index(text) for labels in sets for pair in labels for text in pair]
        return np.array([*accumulate(map(len, sets), initial=0)], np.int64), np.array(refs, np.uint32)

    def overlay(self, external, dropped):
        """(dropped, bounds, fields, starts): external labels win, and names in `dropped` go."""
        kept = [(name, value) for name, value in sorted(external.items()) if name not in dropped]
        gone = [SYMBOLS.index(name) for name in {*external, *dropped} if name in SYMBOLS]
        fields = [field(name, value) for name, value in kept]
        bounds = [bisect_left(SYMBOLS, name) for name, _ in kept]
        starts = np.array([*accumulate(map(len, fields), initial=0)], np.int64)
        return np.array(gone, np.int64), np.array(bounds, np.int64), b"".join(fields), starts

    def __call__(self, sets, external=None, dropped=()):
        """The encoded sets."""
        label_start, refs = self.pairs(sets)
        starts, arena, done = np.zeros(len(sets) + 1, np.int64), np.empty(0, np.uint8), 0
        step = 5  # too little on purpose: encoding goes on with more room
        overlay = self.overlay(external or {}, dropped)
        while done < len(sets):
            arena = np.concatenate((arena[: starts[done]], np.empty(step, np.uint8)))
            done = self.kernel.encode_labels(
                self.data, self.positions, 2, label_start, refs, *overlay, arena, starts, done
            )
            step *= 2
        return [arena[a:b].tobytes() for a, b in pairwise(starts.tolist())]


@pytest.fixture(scope="module")
def encode(kernels):
    return Encoder(kernels)


def field(name, value):
    body = b"\x0a" + put_uvarint(len(name)) + name + (b"\x12" + put_uvarint(len(value)) + value if value else b"")
    return b"\x0a" + put_uvarint(len(body)) + body


def encoded(labels):
    """A label set as protobuf writes it, from pairs or a dictionary."""
    pairs = sorted(labels.items()) if isinstance(labels, dict) else labels
    series = Series(labels=[{"name": name.decode(), "value": value.decode()} for name, value in pairs])
    return series.SerializeToString()


def arena_of(sets):
    parts = [encoded(labels) for labels in sets]
    return b"".join(parts), np.array([*accumulate(map(len, parts), initial=0)], np.int64)


def key(labels):
    return sorted(labels.items())


@given(sets=SETS)
def test_labels_are_encoded_as_protobuf_does(encode, sets):
    assert encode(sets) == [encoded(labels) for labels in sets]


@given(sets=SETS, external=EXTERNAL, dropped=st.sets(st.sampled_from((*NAMES, b"zz", b"unknown")), max_size=3))
@example(sets=[{b"a": b"1"}], external={b"a": b"x"}, dropped=set())
@example(sets=[{b"a": b"1"}], external={b"a": b"x", b"zz": b"x"}, dropped={b"a"})
@example(sets=[{}], external={b"Z": b"1", b"zz": b"2"}, dropped=set())
def test_external_labels_win_and_listed_names_go(encode, sets, external, dropped):
    final = [{k: v for k, v in (labels | external).items() if k not in dropped} for labels in sets]
    assert encode(sets, external, dropped) == [encoded(labels) for labels in final]


def test_a_ref_outside_the_symbols_is_refused(encode, kernels):
    nothing = np.empty(0, np.int64)
    with pytest.raises(ValueError, match="out of bounds"):
        kernels.labels.encode_labels(
            encode.data, encode.positions, 2, np.array([0, 1]), np.array([0, len(SYMBOLS)], np.uint32), nothing,
            nothing, b"", np.zeros(1, np.int64), np.empty(9, np.uint8), np.zeros(2, np.int64), 0,
        )  # fmt: skip


def test_arrays_that_do_not_fit_are_refused(kernels):
    arena, starts = arena_of([{b"a": b"1"}, {b"b": b"1"}, {b"job": b"1"}])
    order, spare = np.arange(3), np.empty(3, np.int64)
    labels = kernels.labels
    with pytest.raises(ValueError, match="outside the arena"):
        labels.first_unsorted(arena[:-1], starts)
    with pytest.raises(ValueError, match="fit one another"):
        labels.sort_labels(arena, starts, order, spare[:2])
    with pytest.raises(ValueError, match="out of bounds"):
        labels.sort_labels(arena, starts, np.array([0, 3]), spare[:2])
    with pytest.raises(ValueError, match="fit one another"):
        labels.shard_mask(arena, starts, b"", np.zeros(1, np.int64), True, 2, 0, np.empty(2, np.uint8))
    with pytest.raises(ValueError, match="outside its array"):
        labels.keeps_order(np.array([0, 2]), np.zeros(2, np.uint32), np.empty(0, np.int64))
    with pytest.raises(ValueError, match="do not ascend"):
        labels.keeps_order(np.array([0, 2, 1]), np.zeros(4, np.uint32), np.empty(0, np.int64))


@given(sets=SETS)
def test_the_first_set_out_of_order_is_found(kernels, sets):
    expected = next((i for i in range(1, len(sets)) if key(sets[i]) < key(sets[i - 1])), -1)
    assert kernels.labels.first_unsorted(*arena_of(sets)) == expected


@given(sets=st.lists(LABELS, max_size=20))
def test_sets_are_sorted_by_names_then_values_and_equal_ones_keep_their_order(kernels, sets):
    order = np.arange(len(sets))[::-1].copy()
    kernels.labels.sort_labels(*arena_of(sets), order, np.empty_like(order))
    assert order.tolist() == sorted(reversed(range(len(sets))), key=lambda i: key(sets[i]))


@given(sets=SETS, external=st.dictionaries(st.sampled_from((b"Z", b"c", b"aaa", b"zz")), st.just(b"x"), max_size=3))
@example(sets=[{b"a": b"1"}, {b"a": b"1", b"b": b"1"}], external={b"c": b"x"})
@example(sets=[{b"a": b"1"}, {b"a": b"1", b"b": b"1"}], external={b"aaa": b"x"})
def test_order_is_not_said_to_be_kept_when_external_labels_break_it(kernels, encode, sets, external):
    _, bounds, _, _ = encode.overlay(external, ())
    sets = sorted(sets, key=key)
    final = [key(labels | external) for labels in sets]
    ascending = all(a < b for a, b in pairwise(final))
    assert not kernels.labels.keeps_order(*encode.pairs(sets), bounds) or ascending


def test_order_is_said_to_be_kept_where_it_plainly_is(kernels, encode):
    _, bounds, _, _ = encode.overlay({b"aaa": b"x"}, ())
    sets = [{b"a": b"1"}, {b"a": b"1", b"b": b"1"}, {b"a": b"2"}, {b"b": b"1"}]
    assert kernels.labels.keeps_order(*encode.pairs(sets), bounds)


@pytest.mark.parametrize("sets", [[{b"a": b"2"}, {b"a": b"1"}], [{b"a": b"1"}, {b"a": b"1"}], [{b"b": b"1"}, {}]])
def test_order_is_not_said_to_be_kept_where_it_is_not_strict(kernels, encode, sets):
    assert not kernels.labels.keeps_order(*encode.pairs(sets), np.empty(0, np.int64))


def shard(kernels, sets, names, by, total, index):
    names = sorted(names)
    keep = np.full(len(sets), 7, np.uint8)
    cuts = np.array([*accumulate(map(len, names), initial=0)], np.int64)
    kernels.labels.shard_mask(*arena_of(sets), b"".join(names), cuts, by, total, index, keep)
    return keep.tolist()


@given(
    sets=SETS,
    names=st.sets(st.sampled_from((*NAMES, b"unknown")), max_size=4),
    by=st.booleans(),
    total=st.sampled_from((1, 2, 3, 7, 2**63)),
)
def test_shards_follow_the_hash_of_the_chosen_labels(kernels, sets, names, by, total):
    def digest(labels):
        chosen = [pair for pair in key(labels) if (pair[0] in names) == by]
        return xxhash.xxh64_intdigest(b"".join(name + b"\xff" + value + b"\xff" for name, value in chosen))

    for index in {0, total - 1}:
        expected = [int(digest(labels) % total == index) for labels in sets]
        assert shard(kernels, sets, names, by, total, index) == expected


@pytest.mark.parametrize(
    ("by", "names", "digest", "thirds", "sevenths"),
    [
        (True, [b"pod"], 0x5EEBFF087DA2CC6D, 1, 0),
        (True, [b"job", b"pod"], 0xA6FB9368496CDAE8, 0, 1),
        (False, [b"pod"], 0x55F2B049CE4A394F, 2, 4),
        (True, [], 0xEF46DB3751D8E999, 0xEF46DB3751D8E999 % 3, 0xEF46DB3751D8E999 % 7),
    ],
)
def test_the_vectors_of_the_storeapi_fall_into_their_shards(kernels, by, names, digest, thirds, sevenths):
    sets = [{b"__name__": b"up", b"job": b"a", b"pod": b"p-1"}]
    assert [shard(kernels, sets, names, by, 3, i) for i in range(3)] == [[int(i == thirds)] for i in range(3)]
    assert shard(kernels, sets, names, by, 7, sevenths) == [1]
    assert shard(kernels, sets, names, by, 2**64 - 1, digest) == [1]
