"""Final label sets: external labels laid over the block's own, replica labels left out, sharded and sorted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import xxhash

from storegate.index.header import IndexHeader, build_index_header
from storegate.index.symbols import Symbols
from storegate.query.labelsets import LabelArena, keeps_order, overlay, shard_mask, sorted_order
from storegate.query.request import Shard
from storegate.testing.index_writer import ChunkEntry, IndexSeries, build_index
from storegate.testing.memory_store import MemoryStore
from storegate_proto.store.storepb.types_pb2 import Series

POD = {"__name__": "up", "job": "a", "pod": "p-1"}


class Sets:
    """Label sets of a block, in its order, with the symbols of its index."""

    def __init__(self, sets: Sequence[Mapping[str, str]]) -> None:
        encoded = [tuple(sorted((n.encode(), v.encode()) for n, v in labels.items())) for labels in sets]
        built = build_index([IndexSeries(labels, [ChunkEntry(0, 9, 8)]) for labels in sorted(set(encoded))])
        header = build_index_header(MemoryStore({"index": built.data}), "index", len(built.data), None)
        assert header is not None
        self.symbols: Symbols = IndexHeader.from_bytes(header).symbols
        refs = [self.symbols.find(text)[0] for labels in encoded for pair in labels for text in pair]
        self.refs = np.array(refs, np.uint32)
        self.start = np.cumsum([0, *map(len, encoded)]).astype(np.int64)

    def overlay(self, external: Mapping[str, str] | None = None, *without: str) -> Any:
        return overlay(self.symbols, external or {}, without)

    def encoded(self, external: Mapping[str, str] | None = None, *without: str) -> Any:
        arena = LabelArena(len(self.start) - 1)
        starts = arena.encode(self.symbols, self.start, self.refs, self.overlay(external, *without))
        return arena.values, starts

    def final(self, external: Mapping[str, str] | None = None, *without: str) -> list[dict[str, str]]:
        """Final label sets, read by protobuf; names must ascend."""
        arena, starts = self.encoded(external, *without)
        found = []
        for begin, end in pairwise(starts.tolist()):
            labels = Series.FromString(arena[begin:end].tobytes()).labels
            names = [label.name for label in labels]
            assert names == sorted(set(names))
            found.append({label.name: label.value for label in labels})
        return found

    def keeps_order(self, external: Mapping[str, str] | None = None, *without: str) -> bool:
        return keeps_order(self.start, self.refs, self.overlay(external, *without))


@pytest.fixture
def pod() -> Sets:
    return Sets([POD])


def test_external_labels_are_added(pod: Sets) -> None:
    assert pod.final({"region": "eu", "a": "first", "zone": "z"}) == [POD | {"region": "eu", "a": "first", "zone": "z"}]


def test_an_external_label_wins_over_a_label_of_the_series(pod: Sets) -> None:
    assert pod.final({"job": "outer"}) == [POD | {"job": "outer"}]


def test_an_external_label_of_empty_value_removes_the_label(pod: Sets) -> None:
    assert pod.final({"job": ""}) == [{"__name__": "up", "pod": "p-1"}]


def test_an_external_label_of_empty_value_that_no_series_has_changes_nothing(pod: Sets) -> None:
    assert pod.final({"region": ""}) == [POD]


def test_a_replica_label_of_the_series_is_left_out(pod: Sets) -> None:
    assert pod.final({}, "pod") == [{"__name__": "up", "job": "a"}]


def test_an_external_replica_label_is_left_out(pod: Sets) -> None:
    assert pod.final({"replica": "1", "region": "eu"}, "replica") == [POD | {"region": "eu"}]


def test_a_replica_label_is_left_out_of_series_and_external_labels_alike(pod: Sets) -> None:
    assert pod.final({"pod": "outer"}, "pod") == [{"__name__": "up", "job": "a"}]


def test_a_replica_label_that_nothing_has_changes_nothing(pod: Sets) -> None:
    assert pod.final({}, "replica") == [POD]


def test_a_series_may_lose_all_its_labels() -> None:
    assert Sets([{"a": "1"}]).final({}, "a") == [{}]


def test_the_last_overlay_is_made_once(pod: Sets) -> None:
    assert pod.overlay({"region": "eu"}, "pod") is pod.overlay({"region": "eu"}, "pod")


@pytest.mark.parametrize(("external", "without"), [({"region": "us"}, "pod"), ({"region": "eu"}, "job"), ({}, "pod")])
def test_another_overlay_is_made_anew(pod: Sets, external: dict[str, str], without: str) -> None:
    before = pod.overlay({"region": "eu"}, "pod")
    assert pod.overlay(external, without) is not before


# --- the arena ---


def decoded(arena: LabelArena, starts: Any) -> list[str]:
    """Values of sets of one label each."""
    cuts = pairwise(starts.tolist())
    return [Series.FromString(arena.data[begin:end].tobytes()).labels[0].value for begin, end in cuts]


def test_sets_that_are_added_later_leave_those_before_where_they_are() -> None:
    sets, arena = Sets([{"a": str(i)} for i in range(300)]), LabelArena(0)
    first = arena.encode(sets.symbols, sets.start[:11], sets.refs, sets.overlay())
    second = arena.encode(sets.symbols, sets.start, sets.refs, sets.overlay())
    assert decoded(arena, first) == [str(i) for i in range(10)]
    assert decoded(arena, second) == [str(i) for i in range(300)]


def test_sets_longer_than_labels_mostly_are_find_room() -> None:
    sets = Sets([{"a": str(i) * 1000} for i in range(9)])
    arena = LabelArena(9)
    assert decoded(arena, arena.encode(sets.symbols, sets.start, sets.refs, sets.overlay()))[8] == "8" * 1000


def test_sets_that_are_not_kept_give_their_room_back() -> None:
    sets, arena = Sets([{"a": "1"}, {"a": "2"}, {"a": "3"}]), LabelArena(3)
    arena.encode(sets.symbols, sets.start, sets.refs, sets.overlay())
    size = arena.size
    starts = arena.encode(sets.symbols, sets.start, sets.refs, sets.overlay())
    kept = arena.keep(starts, np.array([0, 2]))
    assert (decoded(arena, kept), arena.size) == (["1", "3"], size + size // 3 * 2)


# --- order ---


def test_external_labels_that_collide_with_nothing_are_seen_to_keep_a_plain_order() -> None:
    assert Sets([{"a": "1", "b": "1"}, {"a": "1", "b": "2"}]).keeps_order({"region": "eu"})


def test_a_label_that_is_left_out_makes_the_order_uncertain() -> None:
    assert not Sets([{"a": "1", "b": "1"}, {"a": "1", "b": "2"}]).keeps_order({}, "b")


def test_an_external_label_can_change_the_order() -> None:
    sets = Sets([{"a": "1"}, {"a": "1", "b": "1"}])
    order = sorted_order(*sets.encoded({"c": "x"}))
    assert order is not None
    assert order.tolist() == [1, 0]


def test_an_order_that_an_external_label_changes_is_not_taken_for_kept() -> None:
    assert not Sets([{"a": "1"}, {"a": "1", "b": "1"}]).keeps_order({"c": "x"})


def test_label_sets_in_order_need_no_sorting() -> None:
    assert sorted_order(*Sets([{"a": "1"}, {"a": "2"}]).encoded()) is None


def test_label_sets_out_of_order_are_sorted() -> None:
    sets = Sets([{"a": "1", "b": "2"}, {"a": "2", "b": "1"}])
    order = sorted_order(*sets.encoded({}, "a"))
    assert order is not None
    assert order.tolist() == [1, 0]


def test_equal_label_sets_keep_their_places() -> None:
    sets = Sets([{"a": "1", "b": "2"}, {"a": "2", "b": "1"}, {"a": "3", "b": "1"}])
    order = sorted_order(*sets.encoded({}, "a"))
    assert order is not None
    assert order.tolist() == [1, 2, 0]


# --- shards: the hashes are those of the StoreAPI's test vectors ---


@pytest.mark.parametrize(
    ("by", "labels", "mod3", "mod7"),
    [(True, ("pod",), 1, 0), (True, ("job", "pod"), 0, 1), (False, ("pod",), 2, 4)],
)
def test_a_series_is_in_the_shard_of_its_hash(
    pod: Sets, by: bool, labels: tuple[str, ...], mod3: int, mod7: int
) -> None:
    def shards(total: int) -> list[int]:
        encoded = pod.encoded()
        return [
            i for i in range(total) if shard_mask(*encoded, Shard(index=i, total=total, by=by, labels=labels)).all()
        ]

    assert (shards(3), shards(7)) == ([mod3], [mod7])


def test_by_no_labels_all_series_are_in_one_shard() -> None:
    encoded = Sets([{"a": "1"}, {"a": "2"}, {"b": "3"}]).encoded()
    index = 0xEF46DB3751D8E999 % 3
    assert shard_mask(*encoded, Shard(index=index, total=3, by=True)).tolist() == [True] * 3


@pytest.mark.parametrize("labels", [("pod", "job"), ("pod", "job", "pod")])
def test_order_and_repetition_of_shard_labels_do_not_count(pod: Sets, labels: tuple[str, ...]) -> None:
    assert shard_mask(*pod.encoded(), Shard(index=0, total=3, by=True, labels=labels)).all()


@pytest.mark.parametrize("index", [-1, 3, 100])
def test_a_shard_outside_the_range_has_no_series(pod: Sets, index: int) -> None:
    assert not shard_mask(*pod.encoded(), Shard(index=index, total=3, by=False)).any()


def test_the_value_of_an_external_label_decides_over_the_shard(pod: Sets) -> None:
    index = xxhash.xxh64_intdigest(b"pod\xffouter\xff") % 1000
    assert shard_mask(*pod.encoded({"pod": "outer"}), Shard(index=index, total=1000, by=True, labels=("pod",))).all()


def test_a_replica_label_does_not_count_for_the_shard(pod: Sets) -> None:
    index = 0xEF46DB3751D8E999 % 1000
    assert shard_mask(*pod.encoded({}, "pod"), Shard(index=index, total=1000, by=True, labels=("pod",))).all()
