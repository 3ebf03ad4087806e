"""The command line of `storegate store` against the flags of `thanos store`."""

from __future__ import annotations

from typing import Any

import click
import pytest
from thanos import FlagFact, flags

from storegate.cli import flag_options, root, store
from storegate.config.flag_kinds import PARSERS
from storegate.config.flag_table import FLAGS, PAIRS, Flag

FACTS = flags()
VALUED = [fact for fact in FACTS if fact.kind not in ("text", "path", "yaml", "bool")]
SAMPLES = {
    "bool": "",
    "text": "x",
    "path": "/file.yml",
    "yaml": "{a: $(HOME)}",
    "integer": "7",
    "number": "0.5",
    "bytes": "1.5GiB",
    "go-duration": "1.5h30m",
    "prom-duration": "1d12h",
    "time": "-6w",
}
WRONG = {
    "integer": "seven",
    "number": "half",
    "bytes": "1mb",
    "go-duration": "soon",
    "prom-duration": "1.5h",
    "time": "yesterday",
    "choice": "nothing-of-the-kind",
}
OTHER_DEFAULTS = {"sync-block-duration", "block-discovery-strategy"}
"""Flags whose default is another one on purpose: see `docs/reference/thanos-compatibility.md`."""


def name_of(fact: FlagFact) -> str:
    return fact.name


def parse(*arguments: str) -> dict[str, Any]:
    with store.store.make_context("store", list(arguments)) as context:
        return flag_options.given_flags(context.params)


def option(name: str) -> click.Option:
    return next(
        found
        for found in store.store.params
        if isinstance(found, click.Option) and f"--{name}" in (*found.opts, *found.secondary_opts)
    )


def sample(fact: FlagFact) -> str:
    return fact.values[0] if fact.values else SAMPLES[fact.kind]


def entry(name: str) -> Flag:
    return next(flag for flag in FLAGS if name in (flag.name, *flag.aliases))


@pytest.mark.parametrize("fact", FACTS, ids=name_of)
def test_a_flag_is_taken_in_both_forms(fact: FlagFact) -> None:
    if fact.kind == "bool":
        assert parse(f"--{fact.name}") == {fact.name: True}
        assert parse(f"--no-{fact.name}") == {fact.name: False}
    else:
        joined = parse(f"--{fact.name}={sample(fact)}")
        assert list(joined) == [fact.same_as or fact.name]
        assert parse(f"--{fact.name}", sample(fact)) == joined


@pytest.mark.parametrize("fact", FACTS, ids=name_of)
def test_a_flag_is_hidden_where_the_reference_hides_it(fact: FlagFact) -> None:
    assert option(fact.name).hidden == fact.hidden


@pytest.mark.parametrize("fact", [fact for fact in FACTS if fact.default], ids=name_of)
def test_a_default_is_that_of_the_reference_or_another_on_purpose(fact: FlagFact) -> None:
    flag = entry(fact.name)
    read = PARSERS.get(flag.kind, str)
    assert (read(flag.default) == read(fact.default)) == (fact.name not in OTHER_DEFAULTS)


@pytest.mark.parametrize("fact", [fact for fact in FACTS if fact.values], ids=name_of)
def test_all_words_of_a_choice_are_taken(fact: FlagFact) -> None:
    for word in fact.values:
        assert list(parse(f"--{fact.name}={word}")) == [fact.name]


@pytest.mark.parametrize("fact", [fact for fact in VALUED if not (fact.below and fact.kind == "choice")], ids=name_of)
def test_a_value_of_another_kind_is_wrong_usage(fact: FlagFact, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["store", f"--{fact.name}={WRONG[fact.kind]}"]) == 2
    assert f"--{fact.name}" in capsys.readouterr().err


@pytest.mark.parametrize("fact", [fact for fact in FACTS if fact.below], ids=name_of)
def test_a_value_out_of_range_is_a_configuration_error(fact: FlagFact, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["store", f"--{fact.name}={fact.below}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"--{fact.name}" in line


def test_a_flag_that_is_not_there_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["store", "--web.route-prefix=/x"]) == 1
    assert "--web.route-prefix" in capsys.readouterr().err


@pytest.mark.parametrize("fact", [fact for fact in FACTS if fact.kind != "bool" and not fact.same_as], ids=name_of)
def test_a_flag_is_given_once_unless_it_is_repeatable(fact: FlagFact) -> None:
    twice = [f"--{fact.name}={sample(fact)}"] * 2
    if fact.repeatable:
        assert len(parse(*twice)[fact.name]) == 2
    elif not entry_has_alias(fact.name):
        with pytest.raises(click.UsageError, match="cannot be repeated"):
            parse(*twice)


def entry_has_alias(name: str) -> bool:
    return any(flag.name == name and flag.aliases for flag in FLAGS)


def test_flags_beyond_the_reference_say_so() -> None:
    known = {fact.name for fact in FACTS}
    added = {flag.name for flag in FLAGS} | {name for pair in PAIRS for name in (pair.name, f"{pair.name}-file")}
    assert added - known == {"config", "plugins.safe-mode", "web.disable-debug"}
