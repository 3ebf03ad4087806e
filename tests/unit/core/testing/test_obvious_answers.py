"""The obvious engine follows the rules of the StoreAPI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storegate.errors import StoregateError
from storegate.query.request import (
    LabelMatcher,
    LabelNamesRequest,
    LabelValuesRequest,
    MatchType,
    SeriesRequest,
    Shard,
)
from storegate.testing import (
    ObviousBlock,
    obvious_label_names,
    obvious_label_values,
    obvious_series,
    read_block,
    write_block,
    write_block_raw,
)
from storegate.testing.chunks import HISTOGRAM, XOR, build_aggregate, encode_xor
from storegate.testing.obvious import final_labels, in_shard

EVERYTHING = (LabelMatcher(MatchType.RE, "__name__", ".+"),)
UP = (("__name__", "up"), ("job", "a"), ("pod", "p-1"))


def chunk(start: int, end: int) -> tuple[int, int, int, bytes]:
    return (start, end, XOR, encode_xor([(start, 1.0), (end, float(end))]))


def block(folder: Path, series: list[Any], **options: Any) -> ObviousBlock:
    return read_block(folder / write_block_raw(folder, series, **options).ulid)


def request(**changes: Any) -> SeriesRequest:
    return SeriesRequest(**{"min_time": 0, "max_time": 10**6, "matchers": EVERYTHING, **changes})


@pytest.mark.parametrize(
    ("by", "labels", "of_three", "of_seven"),
    [(True, ("pod",), 1, 0), (True, ("job", "pod"), 0, 1), (False, ("pod",), 2, 4)],
)
def test_shards_follow_the_recorded_hashes(by: bool, labels: tuple[str, ...], of_three: int, of_seven: int) -> None:
    assert [i for i in range(3) if in_shard(UP, Shard(index=i, total=3, by=by, labels=labels))] == [of_three]
    assert [i for i in range(7) if in_shard(UP, Shard(index=i, total=7, by=by, labels=labels))] == [of_seven]


def test_an_external_label_wins_over_the_series_own() -> None:
    assert final_labels((("a", "own"), ("b", "1")), {"a": "external"}, ()) == (("a", "external"), ("b", "1"))


def test_an_empty_external_label_removes_the_name() -> None:
    assert final_labels((("a", "own"), ("b", "1")), {"a": ""}, ()) == (("b", "1"),)


def test_listed_labels_are_removed_wherever_they_come_from() -> None:
    assert final_labels((("a", "1"), ("b", "1")), {"c": "1"}, ("b", "c")) == (("a", "1"),)


def test_replicas_fold_into_one_series(tmp_path: Path) -> None:
    first = block(tmp_path, [({"__name__": "x"}, [chunk(0, 9), chunk(10, 19)])], external_labels={"replica": "a"})
    second = block(
        tmp_path, [({"__name__": "x"}, [chunk(0, 9), chunk(10, 19), chunk(20, 29)])], external_labels={"replica": "b"}
    )
    (series,) = obvious_series([first, second], request(without_replica_labels=("replica",)))
    assert [(c.min_time, c.max_time) for c in series.chunks] == [(0, 9), (10, 19), (20, 29)]


def test_only_matchers_on_external_labels_give_nothing(tmp_path: Path) -> None:
    only = block(tmp_path, [({"__name__": "x"}, [chunk(0, 9)])], external_labels={"region": "eu"})
    assert obvious_series([only], request(matchers=(LabelMatcher(0, "region", "eu"),))) == []
    assert obvious_series([only], request(matchers=())) == []


def test_external_labels_can_break_the_order_of_a_block(tmp_path: Path) -> None:
    only = block(
        tmp_path,
        [({"__name__": "x", "a": "1"}, [chunk(0, 9)]), ({"__name__": "x", "z": "1"}, [chunk(0, 9)])],
        external_labels={"m": "1", "a": ""},
    )
    labels = [series.labels for series in obvious_series([only], request())]
    assert labels == [(("__name__", "x"), ("m", "1")), (("__name__", "x"), ("m", "1"), ("z", "1"))]


def test_a_chunk_is_taken_whole_when_it_touches_the_range(tmp_path: Path) -> None:
    only = block(tmp_path, [({"__name__": "x"}, [chunk(0, 9), chunk(10, 19), chunk(20, 29)])])
    (series,) = obvious_series([only], request(min_time=9, max_time=10))
    assert [(c.min_time, c.max_time) for c in series.chunks] == [(0, 9), (10, 19)]


def test_chunks_out_of_order_are_all_found(tmp_path: Path) -> None:
    only = block(tmp_path, [({"__name__": "x"}, [chunk(50, 59), chunk(0, 9)])], min_time=0, max_time=60)
    (series,) = obvious_series([only], request(max_time=20))
    assert [(c.min_time, c.max_time) for c in series.chunks] == [(0, 9)]


def test_the_limit_cuts_candidates_before_time_is_looked_at(tmp_path: Path) -> None:
    only = block(tmp_path, [({"__name__": "a"}, [chunk(0, 9)]), ({"__name__": "b"}, [chunk(50, 59)])])
    assert obvious_series([only], request(min_time=50, limit=1)) == []
    assert len(obvious_series([only], request(min_time=50, limit=1), cut_candidates=False)) == 1


def test_raw_blocks_fill_the_gaps_of_downsampled_ones(tmp_path: Path) -> None:
    samples = [(t, 1.0) for t in range(0, 3 * 3600000, 60000)]
    labels = {"__name__": "x"}
    raw = [
        read_block(tmp_path / write_block(tmp_path, [(labels, samples[i : i + 60])], seed=i).ulid) for i in (0, 60, 120)
    ]
    coarse = write_block(tmp_path, [(labels, samples[60:120])], resolution=300000, min_time=3600000, max_time=7200000)
    asked = request(max_time=3 * 3600000, max_resolution=300000, aggregates=(1, 2))
    (series,) = obvious_series([*raw, read_block(tmp_path / coarse.ulid)], asked)
    assert [sorted(c.aggregates) for c in series.chunks] == [["raw"], ["count", "sum"], ["raw"]]


def test_a_missing_aggregate_is_left_out_unless_it_is_asked_to_fail(tmp_path: Path) -> None:
    data = build_aggregate(count=(XOR, encode_xor([(0, 1.0)])))
    only = block(tmp_path, [({"__name__": "x"}, [(0, 0, 255, data)])], resolution=300000)
    asked = request(max_resolution=300000, aggregates=(1, 3))
    assert list(obvious_series([only], asked)[0].chunks[0].aggregates) == ["count"]
    with pytest.raises(StoregateError, match="aggregate min does not exist"):
        obvious_series([only], asked, strict_aggregates=True)


def test_a_chunk_encoding_without_a_wire_type_is_an_error(tmp_path: Path) -> None:
    only = block(tmp_path, [({"__name__": "x"}, [(0, 0, 4, b"xor2")])])
    with pytest.raises(StoregateError, match="unsupported chunk encoding 4"):
        obvious_series([only], request())


def test_stored_encodings_become_those_of_the_wire(tmp_path: Path) -> None:
    only = block(tmp_path, [({"__name__": "x"}, [(0, 0, HISTOGRAM, b"abc")])])
    assert obvious_series([only], request())[0].chunks[0].aggregates == {"raw": (1, b"abc")}


def test_equal_times_are_ordered_by_data_downwards(tmp_path: Path) -> None:
    chunks = [(0, 9, XOR, data) for data in (b"a", b"ab", b"b")]
    only = block(tmp_path, [({"__name__": "x"}, chunks)])
    (series,) = obvious_series([only], request())
    assert [c.aggregates["raw"][1] for c in series.chunks] == [b"b", b"ab", b"a"]


def test_label_names_without_matchers_come_from_the_index(tmp_path: Path) -> None:
    only = block(tmp_path, [({"__name__": "x", "own": "1"}, [chunk(0, 9)])], external_labels={"region": "eu"})
    names = obvious_label_names([only], LabelNamesRequest(start=0, end=5, without_replica_labels=("own", "region")))
    assert (names.values, names.blocks) == (["__name__", "own"], (only.ulid,))


def test_label_names_with_matchers_come_from_final_labels(tmp_path: Path) -> None:
    only = block(
        tmp_path,
        [({"__name__": "x", "own": "1"}, [chunk(0, 9)]), ({"__name__": "x", "late": "1"}, [chunk(90, 99)])],
        external_labels={"region": "eu"},
    )
    asked = LabelNamesRequest(start=0, end=20, matchers=EVERYTHING, without_replica_labels=("own",))
    assert obvious_label_names([only], asked).values == ["__name__", "region"]


def test_label_values_hold_the_external_one(tmp_path: Path) -> None:
    only = block(tmp_path, [({"__name__": "x", "region": "own"}, [chunk(0, 9)])], external_labels={"region": "eu"})
    assert obvious_label_values([only], LabelValuesRequest(label="region", start=0, end=5)).values == ["eu", "own"]
    asked = LabelValuesRequest(label="region", start=0, end=5, matchers=EVERYTHING)
    assert obvious_label_values([only], asked).values == ["eu"]


def test_values_of_a_removed_label_are_not_looked_for(tmp_path: Path) -> None:
    asked = LabelValuesRequest(label="region", start=0, end=5, without_replica_labels=("region",))
    assert obvious_label_values([], asked).blocks is None
