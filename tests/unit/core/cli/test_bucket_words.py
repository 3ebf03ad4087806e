"""How times, spans, sizes and labels are written, what a selector may say, and how tables fold."""

from __future__ import annotations

from typing import Any

import click
import pytest

from storegate import BlockMeta
from storegate.block.discovery import BlockListing
from storegate.cli.bucket.rows import BlockRow, State
from storegate.cli.bucket.selection import Selection, ordered, parse_selector
from storegate.cli.bucket.tables import Column, Row, Table, wrap
from storegate.cli.bucket.words import count, labels, minute, plural, resolution, rfc3339, size, span
from storegate.index.matchers import MatcherCompiler
from storegate.query.request import LabelMatcher, MatchType

HOUR = 3_600_000
DAY = 24 * HOUR


class TestWords:
    @pytest.mark.parametrize(
        ("length", "text"),
        [
            (0, "0s"),
            (59_400, "59s"),
            (60_000, "1m"),
            (HOUR - 1, "1h"),
            (2 * HOUR - 9000, "2h"),
            (90 * 60_000, "1h30m"),
            (DAY - 1, "1d"),
            (26 * HOUR, "1d2h"),
            (14 * DAY + HOUR, "14d"),
            (3 * 365 * DAY, "3y"),
            (-2 * HOUR, "-2h"),
        ],
    )
    def test_spans_have_at_most_two_units(self, length: int, text: str) -> None:
        assert span(length) == text

    @pytest.mark.parametrize(
        ("time", "text"),
        [
            (0, "1970-01-01T00:00:00Z"),
            (1_702_598_391_034, "2023-12-14T23:59:51.034Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00Z"),
            (2**63 - 1, None),
            (None, None),
        ],
    )
    def test_times_in_documents_are_exact(self, time: int | None, text: str | None) -> None:
        assert rfc3339(time) == text

    def test_times_that_no_calendar_has_are_given_in_ms(self) -> None:
        assert (minute(1_702_598_391_034), minute(-(2**63))) == ("2023-12-14 23:59", "-9223372036854775808 ms")

    @pytest.mark.parametrize(
        ("number", "text"),
        [(0, "0"), (999, "999"), (1000, "1.0k"), (29_341, "29.3k"), (999_999, "1.0M"), (10**15, "1.0P")],
    )
    def test_counts_are_short(self, number: int, text: str) -> None:
        assert count(number) == text

    @pytest.mark.parametrize(
        ("number", "text"),
        [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (500 << 20, "500 MiB"), (1 << 40, "1.0 TiB")],
    )
    def test_sizes_are_powers_of_1024(self, number: int, text: str) -> None:
        assert size(number) == text

    def test_labels_are_written_as_in_a_selector(self) -> None:
        assert labels({"b": 'say "hi"\n', "a": "\x1b[31mred"}) == r'a="\x1b[31mred", b="say \"hi\"\n"'
        assert labels({}) == "-"

    def test_resolutions_have_names(self) -> None:
        assert [resolution(ms) for ms in (0, 300_000, HOUR, 7000)] == ["raw", "5m", "1h", "7s"]

    def test_nouns_follow_their_number(self) -> None:
        assert [plural(1, "block"), plural(1234, "block"), plural(2, "series")] == [
            "1 block",
            "1,234 blocks",
            "2 series",
        ]


EQ, NEQ, RE, NRE = MatchType.EQ, MatchType.NEQ, MatchType.RE, MatchType.NRE


class TestSelector:
    @pytest.mark.parametrize(
        ("text", "matchers"),
        [
            ('a="b"', [(EQ, "a", "b")]),
            ("a=b", [(EQ, "a", "b")]),
            ('{a!="b", c=~"d|e",f!~"g"}', [(NEQ, "a", "b"), (RE, "c", "d|e"), (NRE, "f", "g")]),
            (r'a="x\"y\\z\n"', [(EQ, "a", 'x"y\\z\n')]),
            ('a="",', [(EQ, "a", "")]),
            ('{"k8s.pod"="größe"}', [(EQ, "k8s.pod", "größe")]),
        ],
    )
    def test_matchers_are_written_as_prometheus_does(self, text: str, matchers: list[Any]) -> None:
        assert parse_selector(text) == [LabelMatcher(*one) for one in matchers]

    @pytest.mark.parametrize("text", ["", "{}", "a", "a==b", 'a="b', 'a="b" c="d"', "=b", 'a="b"}'])
    def test_anything_else_is_refused_with_its_place(self, text: str) -> None:
        with pytest.raises(click.BadParameter) as error:
            parse_selector(text)
        assert repr(text) in error.value.message


def row(number: int, min_time: int = 0, max_time: int = 10, **external: str) -> BlockRow:
    ulid = f"01M3250V00{number:016d}"
    meta = BlockMeta(ulid=ulid, min_time=min_time, max_time=max_time, labels=external)
    return BlockRow(ulid=ulid, state=State.OK, meta=meta, marks={}, listing=BlockListing())


class TestSelection:
    @pytest.mark.parametrize(
        ("start", "end", "taken"),
        [(None, None, True), (9, None, True), (10, None, False), (None, 0, True), (None, -1, False), (3, 4, True)],
    )
    def test_blocks_are_taken_by_time(self, start: int | None, end: int | None, taken: bool) -> None:
        assert Selection(start=start, end=end).takes(row(1)) is taken

    @pytest.mark.parametrize(
        ("selector", "taken"),
        [('a="x"', True), ('a="y"', False), ('b=""', True), ('a=~"x|y", b!="1"', True), ('a!~"."', False)],
    )
    def test_blocks_are_taken_by_external_labels(self, selector: str, taken: bool) -> None:
        matchers = MatcherCompiler().compile(parse_selector(selector))
        assert Selection(matchers=matchers).takes(row(1, a="x")) is taken

    def test_blocks_without_a_meta_are_taken_when_neither_labels_nor_time_matter(self) -> None:
        partial = BlockRow(ulid="0" * 26, state=State.PARTIAL, marks={}, listing=BlockListing())
        assert Selection().takes(partial)
        assert Selection(states=frozenset({State.PARTIAL})).takes(partial)
        assert not Selection(states=frozenset({State.OK})).takes(partial)
        assert not Selection(start=0).takes(partial)
        assert not Selection(matchers=MatcherCompiler().compile(parse_selector('a=""'))).takes(partial)

    def test_the_first_key_of_an_order_decides(self) -> None:
        keys = {"parity": lambda n: n % 2, "size": lambda n: n}
        assert ordered([3, 1, 2, 4], keys, ("parity", "size"), reverse=False) == [2, 4, 1, 3]
        assert ordered([3, 1, 2, 4], keys, ("size",), reverse=True) == [4, 3, 2, 1]


TABLE = Table(
    (
        Column("NAME"),
        Column("N", right=True),
        Column("KIND", "{} kind"),
        Column("GONE", ""),
        Column("LABELS", "{}", rank=0),
    ),
    [
        Row(("a", "1", "big", "x", "one, two")),
        Row(("bcd", "12", "-", "y", "three"), "red", ["a note on it"], "heading"),
    ],
)


class TestTable:
    def test_rows_that_fit_are_one_line_each(self) -> None:
        assert click.unstyle(TABLE.render(40)).splitlines() == [
            "NAME   N  KIND  GONE  LABELS",
            "a      1  big   x     one, two",
            "heading",
            "bcd   12  -     y     three",
            "    a note on it",
        ]

    def test_rows_that_do_not_are_folded(self) -> None:
        assert click.unstyle(TABLE.render(24)).splitlines() == [
            "NAME   N",
            "a      1",
            "    one, two  big kind",
            "heading",
            "bcd   12",
            "    three",
            "    a note on it",
        ]

    def test_only_coloured_columns_take_the_colour_of_a_row(self) -> None:
        table = Table((Column("A"), Column("B", coloured=True)), [Row(("x", "y"), "red")])
        assert table.render(80).splitlines()[1] == f"x  {click.style('y', fg='red')}"

    def test_long_texts_are_wrapped_between_their_parts(self) -> None:
        assert wrap(["aaa", "bbb", "ccc", "d" * 30], 14) == ["    aaa  bbb", "    ccc", "    " + "d" * 30]
        assert wrap(["aaa", "bbb", "ccc"], 7, " ", "", "--") == ["aaa bbb", "--ccc"]
        assert wrap([], 14) == []
