"""The obvious reader of whole blocks and buckets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from storegate.errors import CorruptError, InvalidRequestError
from storegate.query.request import LabelMatcher, MatchType
from storegate.testing import read_block, read_bucket, write_block
from storegate.testing.obvious import compile_matchers

NOW = 1700000000000
DAY = 24 * 3600 * 1000
SERIES = [({"k": value} if value else {"other": "1"}, [(0, 1.0), (60000, 2.0)]) for value in ("int", "float", "")]


def matcher(kind: MatchType, name: str, value: str) -> LabelMatcher:
    return LabelMatcher(kind, name, value)


@pytest.mark.parametrize(
    ("kind", "name", "value", "expected"),
    [
        (MatchType.EQ, "k", "", 1),
        (MatchType.NEQ, "k", "", 2),
        (MatchType.NEQ, "k", "int", 2),
        (MatchType.RE, "k", "int|", 2),
        (MatchType.NRE, "k", "int|", 1),
        (MatchType.RE, "k", ".*", 3),
        (MatchType.NRE, "k", ".*", 0),
        (MatchType.RE, "k", ".+", 2),
        (MatchType.NRE, "k", ".+", 1),
        (MatchType.RE, "k", "in", 0),
        (MatchType.RE, "k", "(?i)INT", 1),
        (MatchType.EQ, "nolabel", "", 3),
        (MatchType.NEQ, "nolabel", "x", 3),
        (MatchType.EQ, "nolabel", "x", 0),
    ],
)
def test_a_missing_label_has_the_empty_value(
    tmp_path: Path, kind: MatchType, name: str, value: str, expected: int
) -> None:
    block = read_block(tmp_path / write_block(tmp_path, SERIES).ulid)
    assert len(block.select([matcher(kind, name, value)], 0, 10**6)) == expected


def test_only_samples_in_the_range_are_selected(tmp_path: Path) -> None:
    block = read_block(tmp_path / write_block(tmp_path, SERIES).ulid)
    assert block.select([matcher(MatchType.EQ, "k", "int")], 1, 60000) == [((("k", "int"),), [(60000, 2.0)])]
    assert block.select([matcher(MatchType.EQ, "k", "int")], 1, 59999) == []


@pytest.mark.parametrize("value", ["(", "[", "a)|(b", "(?=x)", r"(a)\1"])
def test_a_bad_regular_expression_is_the_clients_mistake(value: str) -> None:
    with pytest.raises(InvalidRequestError, match="label"):
        compile_matchers([matcher(MatchType.RE, "label", value)])


def test_an_unknown_matcher_type_is_the_clients_mistake() -> None:
    with pytest.raises(InvalidRequestError, match="type 9"):
        compile_matchers([LabelMatcher(9, "label", "x")])


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [("a.b", "a\nb", True), ("a", "a\n", False), (r"\d", "\u0663", False), ("a|ab", "ab", True), ("", "", True)],
)
def test_regular_expressions_are_those_of_go(pattern: str, value: str, expected: bool) -> None:
    (compiled,) = compile_matchers([matcher(MatchType.RE, "x", pattern)])
    assert compiled.matches(value) is expected


def test_a_flipped_byte_of_a_chunk_is_found(tmp_path: Path) -> None:
    folder = tmp_path / write_block(tmp_path, SERIES).ulid
    data = bytearray((folder / "chunks/000001").read_bytes())
    data[12] ^= 1
    (folder / "chunks/000001").write_bytes(data)
    block = read_block(folder)
    with pytest.raises(CorruptError, match="checksum of a chunk"):
        [block.samples(series) for series in block.series()]


def test_a_truncated_segment_is_found(tmp_path: Path) -> None:
    folder = tmp_path / write_block(tmp_path, SERIES).ulid
    data = (folder / "chunks/000001").read_bytes()
    (folder / "chunks/000001").write_bytes(data[:-1])
    block = read_block(folder)
    with pytest.raises(CorruptError, match="past the end"):
        block.samples(block.series()[-1])


def test_segments_are_listed_when_meta_json_does_not(tmp_path: Path) -> None:
    written = write_block(tmp_path, SERIES, segment_size=40, segment_files=False)
    assert len(read_block(tmp_path / written.ulid).segments) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}'])
def test_a_bad_meta_json_is_refused(tmp_path: Path, text: str) -> None:
    folder = tmp_path / write_block(tmp_path, SERIES).ulid
    (folder / "meta.json").write_text(text)
    with pytest.raises(CorruptError, match=r"meta\.json"):
        read_block(folder)


def test_a_bucket_is_read_without_its_debris(tmp_path: Path) -> None:
    good = write_block(tmp_path, SERIES, seed=1).ulid
    broken = write_block(tmp_path, SERIES, seed=2).ulid
    (tmp_path / broken / "index").write_bytes(b"")
    partial = write_block(tmp_path, SERIES, seed=3).ulid
    (tmp_path / partial / "meta.json").unlink()
    (tmp_path / "debug").mkdir()
    assert [block.ulid for block in read_bucket(tmp_path, NOW)] == [good]


def test_marked_blocks_leave_a_bucket_after_a_day(tmp_path: Path) -> None:
    ulid = write_block(tmp_path, SERIES).ulid
    mark = {"id": ulid, "version": 1, "deletion_time": NOW // 1000}
    (tmp_path / ulid / "deletion-mark.json").write_text(json.dumps(mark))
    assert len(read_bucket(tmp_path, NOW + DAY)) == 1
    assert len(read_bucket(tmp_path, NOW + DAY + 1)) == 0


def test_a_block_whose_sources_another_one_holds_is_superseded(tmp_path: Path) -> None:
    first, second = (write_block(tmp_path, SERIES, seed=seed).ulid for seed in (1, 2))
    other = write_block(tmp_path, SERIES, seed=4, external_labels={"a": "b"}, sources=[first]).ulid
    compacted = write_block(tmp_path, SERIES, seed=3, level=2, sources=[first, second]).ulid
    assert {block.ulid for block in read_bucket(tmp_path, NOW)} == {compacted, other}
