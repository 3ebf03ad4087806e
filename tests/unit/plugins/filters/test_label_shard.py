"""The filter label-shard and its relabel rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from pydantic import ValidationError

from storegate import BlockMeta, FilterContext, PluginContext
from storegate_filters.config import LabelShardConfig
from storegate_filters.label_shard import make_filter
from storegate_filters.relabel import hashmod

Rule = dict[str, object]
Passes = Callable[..., bool]


@pytest.fixture
def passes(meta: Callable[..., BlockMeta], context: PluginContext) -> Passes:
    """Whether a block with these labels passes these rules."""

    def _passes(rules: list[Rule], labels: Mapping[str, str] | None = None, number: int = 1) -> bool:
        block = meta(number, labels=labels or {})
        meta_filter = make_filter(LabelShardConfig.model_validate({"rules": rules}), context)
        found = meta_filter.select({block.ulid: block}, FilterContext(now=0))
        assert set(found.values()) <= {"label-excluded"}
        return block.ulid not in found

    return _passes


def test_hashes_are_those_of_prometheus() -> None:
    assert hashmod("01M825MV2C4TKVWJ6ER5F6MD5M", 4) == 1
    assert hashmod("eu;r0", 3) == 2


def test_without_rules_every_block_passes(passes: Passes) -> None:
    assert passes([])


def test_keep_leaves_matching_blocks(passes: Passes) -> None:
    keep: Rule = {"action": "keep", "source_labels": ["region"], "regex": "eu|us"}
    assert passes([keep], {"region": "us"})
    assert not passes([keep], {"region": "ap"})


def test_drop_leaves_the_others(passes: Passes) -> None:
    drop: Rule = {"action": "DROP", "source_labels": ["region"], "regex": "eu"}
    assert not passes([drop], {"region": "eu"})
    assert passes([drop], {"region": "us"})


@pytest.mark.parametrize(("regex", "value"), [("e", "eu"), ("u", "eu"), ("eu|x", "eux")])
def test_the_regex_must_match_the_whole_text(passes: Passes, regex: str, value: str) -> None:
    assert not passes([{"action": "keep", "source_labels": ["a"], "regex": regex}], {"a": value})


@pytest.mark.parametrize(
    ("regex", "value"), [("a.b", "a\nb"), ("(?i)EU", "eu"), (r"\pL+", "é"), ("[[:alpha:]]+", "ab"), ("", "")]
)
def test_the_regex_is_that_of_go(passes: Passes, regex: str, value: str) -> None:
    assert passes([{"action": "keep", "source_labels": ["a"], "regex": regex}], {"a": value})


def test_values_are_joined_by_the_separator_and_missing_labels_are_empty(passes: Passes) -> None:
    rule: Rule = {"action": "keep", "source_labels": ["a", "b", "c"], "regex": "1;;3"}
    assert passes([rule], {"a": "1", "c": "3"})
    assert passes([{**rule, "separator": "-", "regex": "1--3"}], {"a": "1", "c": "3"})


def test_the_ulid_is_a_label(passes: Passes, ulid: Callable[[int], str]) -> None:
    rule: Rule = {"action": "drop", "source_labels": ["__block_id"], "regex": ulid(7)}
    assert not passes([rule], number=7)
    assert passes([rule], number=8)


def test_later_rules_see_what_hashmod_set(passes: Passes) -> None:
    rules: list[Rule] = [
        {"action": "hashmod", "source_labels": ["region", "replica"], "modulus": 3, "target_label": "shard"},
        {"action": "keep", "source_labels": ["shard"], "regex": 2},  # YAML reads the number, the text is meant
    ]
    assert passes(rules, {"region": "eu", "replica": "r0"})
    assert not passes([rules[0], {**rules[1], "regex": "1"}], {"region": "eu", "replica": "r0"})


def test_the_labels_of_the_block_itself_are_not_changed(meta: Callable[..., BlockMeta], context: PluginContext) -> None:
    labels = {"a": "1"}
    block = meta(1, labels=labels)
    rules: list[Rule] = [{"action": "hashmod", "source_labels": ["a"], "modulus": 2, "target_label": "a"}]
    make_filter(LabelShardConfig.model_validate({"rules": rules}), context).select(
        {block.ulid: block}, FilterContext(now=0)
    )
    assert labels == {"a": "1"}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"source_labels": ["a"]}, "action"),
        ({"action": "replace"}, "'keep', 'drop' or 'hashmod'"),
        ({"action": "keep", "regex": "a("}, "not valid RE2"),
        ({"action": "keep", "regex": "(?=a)"}, "not valid RE2"),
        ({"action": "hashmod", "target_label": "x"}, "modulus"),
        ({"action": "hashmod", "modulus": 2}, "target_label"),
        ({"action": "keep", "replacement": "x"}, "replacement"),
    ],
)
def test_wrong_rules_are_refused_with_their_fault(rule: Rule, message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("(", r"\(")):
        LabelShardConfig.model_validate({"rules": [rule]})
