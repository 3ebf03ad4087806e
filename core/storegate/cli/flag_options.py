"""Turns the table of flags into click options with the syntax of `thanos store`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import click

from storegate.config.flag_kinds import PARSERS, OutOfRange
from storegate.config.flag_table import FLAGS, PAIRS, Flag, Pair
from storegate.errors import ConfigurationError


class KindType(click.ParamType):  # type: ignore[type-arg]
    """A value of one of the kinds of flags."""

    def __init__(self, flag: Flag) -> None:
        self.name = flag.kind
        self._flag = flag

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return PARSERS[self.name](value)
        except OutOfRange as error:
            _refuse_late(self._flag, str(error))
            self.fail(str(error), param, ctx)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class ChoiceType(click.ParamType):  # type: ignore[type-arg]
    """One of a few words, each standing for a value."""

    name = "choice"

    def __init__(self, flag: Flag) -> None:
        self._flag = flag
        self._choices = flag.choices

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in self._choices:
            text = f"{value!r} is not one of {', '.join(self._choices)}"
            _refuse_late(self._flag, text)
            self.fail(text, param, ctx)
        return (self._choices[value],)  # in a tuple: a choice may stand for False


def _refuse_late(flag: Flag, text: str) -> None:
    """Exit code 1 where the reference looks at a value only when it starts; a usage error has 2."""
    if flag.late:
        raise ConfigurationError(f"--{flag.name}: {text}")


class FlagOption(click.Option):
    """An option that knows the section of the help in which it is shown."""

    section = ""


class FlagCommand(click.Command):
    """Shows its options by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [option for option in self.get_params(ctx) if isinstance(option, click.Option) and not option.hidden]
        ordered = [(getattr(option, "section", "") or "Other", option.get_help_record(ctx)) for option in options]
        for section, group in groupby(ordered, key=lambda pair: pair[0]):
            with formatter.section(section):
                formatter.write_dl([record for _, record in group if record])


def flag_options() -> list[FlagOption]:
    """One option for each flag, and two for each pair, ordered by section."""
    options = [_flag_option(flag) for flag in FLAGS]
    for pair in PAIRS:
        options += [_pair_option(pair, f"{pair.name}-file", "PATH"), _pair_option(pair, pair.name, "YAML")]
    sections = list(dict.fromkeys(flag.section for flag in FLAGS))
    return sorted(options, key=lambda option: sections.index(option.section))


def given_flags(values: dict[str, Any]) -> dict[str, Any]:
    """{flag name: value} of the flags that the command line holds, from click's parsed parameters.

    Raises click.UsageError for a flag that is given twice, unless it is repeatable or has a deprecated second name.
    """
    repeatable = {flag.name for flag in FLAGS if flag.repeatable}
    last_wins = {flag.name for flag in FLAGS if flag.aliases}
    given: dict[str, Any] = {}
    for name, collected in values.items():
        plain = [value[0] if isinstance(value, tuple) else value for value in collected]
        if not plain:
            continue
        if len(plain) > 1 and name not in repeatable | last_wins:
            raise click.UsageError(f"--{name} cannot be repeated", click.get_current_context(silent=True))
        given[name] = plain if name in repeatable else plain[-1]
    return given


def _flag_option(flag: Flag) -> FlagOption:
    text = _help(flag) + (f" [default: {flag.default}]" if flag.default else "")
    names = [f"--{name}" for name in (flag.name, *flag.aliases)]
    if flag.kind == "bool":
        return _option([f"--{flag.name}/--no-{flag.name}"], flag.name, flag.section, text, flag.hidden)
    kind = ChoiceType(flag) if flag.kind == "choice" else KindType(flag)
    return _option(names, flag.name, flag.section, text, flag.hidden, type=kind, metavar=_metavar(flag))


def _pair_option(pair: Pair, name: str, metavar: str) -> FlagOption:
    form = "Path of a YAML file" if metavar == "PATH" else "YAML text"
    return _option([f"--{name}"], name, pair.section, f"{_help(pair)} {form}.", pair.hidden, metavar=metavar)


def _help(flag: Flag | Pair) -> str:
    return f"{flag.help} No effect: {flag.ignored}." if flag.ignored else flag.help


def _option(names: Iterable[str], key: str, section: str, text: str, hidden: bool, **more: Any) -> FlagOption:
    option = FlagOption([*names, _identifier(key)], multiple=True, help=text, hidden=hidden, **more)
    option.name = key  # click wants an identifier; the table's name is the key of the settings
    option.section = section
    return option


def _identifier(name: str) -> str:
    return name.replace(".", "_").replace("-", "_")


_DURATIONS = dict.fromkeys(("go-duration", "interval", "prom-duration"), "DURATION")


def _metavar(flag: Flag) -> str:
    if flag.kind == "choice":
        return "|".join(flag.choices)
    return {"text": "TEXT", "time": "TIME", "bytes": "BYTES", **_DURATIONS}.get(flag.kind, "N")
