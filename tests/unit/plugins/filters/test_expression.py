"""Conditions on blocks: the language, and the filter that goes by it."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from storegate import BlockMeta, FilterContext, PluginContext
from storegate_filters.config import ExpressionConfig
from storegate_filters.expression import make_filter
from storegate_filters.expression_language import parse

DAY = 86_400_000
CONTEXT = FilterContext(now=100 * DAY)
BLOCK = BlockMeta(
    ulid="01A",
    min_time=80 * DAY,
    max_time=90 * DAY,
    resolution=300_000,
    labels={"tenant": "acme", "quoted": 'a"b'},
    level=3,
    sources=("01B", "01C"),
    source="compactor",
    files={"index": 1 << 20, "chunks/000001": 3 << 20},
    num_series=10,
    num_samples=1000,
    num_chunks=20,
)


@pytest.mark.parametrize(
    "text",
    [
        "level >= 2",
        "level == 3",
        "level < 3.5",
        "age > 9d",
        "age <= 1w3d",
        "span == 240h",
        "resolution == 5m",
        "size > 3MiB and size < 5MiB",
        "size == 4194304",
        "series != 11",
        "samples > 1e2",
        "chunks == 20",
        "sources == 2",
        "min_time >= 1970-03-22T00:00:00Z",
        'source == "compactor"',
        "source == 'compactor'",
        'ulid =~ "01.*"',
        'labels.tenant == "acme"',
        'labels.tenant =~ "a.*"',
        'labels.tenant !~ "b.*"',
        'labels.absent == ""',
        r'labels.quoted == "a\"b"',
        "not level > 3",
        "not (level > 3 or level < 2)",
        'level >= 2 and age > 9d and labels.tenant =~ "a.*"',
        "level > 9 or level > 8 or level > 2",
        "level > 2 or level > 9 and level > 10",
        "(level > 2)",
    ],
)
def test_what_is_true_of_a_block(text: str) -> None:
    assert parse(text)(BLOCK, CONTEXT)
    assert not parse(f"not ({text})")(BLOCK, CONTEXT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at its end"),
        ("level", "makes no sense"),
        ("level >= ", "at its end"),
        ("level >= 2 and", "at its end"),
        ("level >= 2 age > 1d", "at character 12"),
        ("(level >= 2", "at its end"),
        ("lvl >= 2", "unknown field lvl (known: ulid, source, level,"),
        ("level >= 2d", "level: '2d' is not a number"),
        ("age > 14", "age: "),
        ("level =~ 2", "level is no text"),
        ("source == 2", "source is text: put 2 in quotes"),
        ('source > "a"', "source is text: it can be compared by"),
        ('ulid =~ "("', "not valid RE2"),
        ("__import__('os').system('x')", "makes no sense"),
        ("level.__class__ == 2", "makes no sense"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse(text)


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    with suppress(ValueError):
        assert parse(text)(BLOCK, CONTEXT) in (True, False)


def filtered(**config: Any) -> dict[str, str]:
    context = PluginContext(name="expression", log=logging.getLogger(), registry=CollectorRegistry())
    other = BlockMeta(ulid="01Z", min_time=0, max_time=DAY)
    return make_filter(ExpressionConfig(**config), context).select({"01A": BLOCK, "01Z": other}, CONTEXT)


def test_keep_leaves_out_what_is_not_so() -> None:
    assert filtered(keep="level >= 2") == {"01Z": "expression-excluded"}


def test_drop_leaves_out_what_is_so() -> None:
    assert filtered(drop="level >= 2") == {"01A": "expression-excluded"}


@pytest.mark.parametrize("config", [{}, {"keep": "level > 1", "drop": "level > 1"}])
def test_one_of_keep_and_drop_is_needed(config: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either keep or drop"):
        ExpressionConfig(**config)


def test_a_mistake_is_found_when_the_configuration_is_read() -> None:
    with pytest.raises(ValidationError, match="unknown field"):
        ExpressionConfig(keep="lvl > 1")
