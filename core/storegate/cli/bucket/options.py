"""Options of the bucket commands.

They are flags of `storegate store`, which say where the blocks are and which of them are served, and some that choose
what to show.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import click

from storegate.cli.bucket.rows import State
from storegate.cli.bucket.selection import Selection, parse_selector
from storegate.cli.flag_options import FlagOption, flag_options, given_flags
from storegate.config.units import resolve_time
from storegate.index.matchers import MatcherCompiler

SHARED = frozenset(
    {
        "config",
        "log.level",
        "log.format",
        "objstore.config",
        "objstore.config-file",
        "block-meta-fetch-concurrency",
        "min-time",
        "max-time",
        "selector.relabel-config",
        "selector.relabel-config-file",
        "consistency-delay",
        "ignore-deletion-marks-delay",
    }
)
"""Flags of `storegate store` that mean the same here."""
LOG_LEVEL = "error"
SHOW, OUTPUT = "What to show", "Output"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A parsed command line: flags as `storegate store` has them, what to show, and the options of the command."""

    flags: dict[str, Any]
    selection: Selection
    own: dict[str, Any]


def shared_options() -> list[click.Parameter]:
    """The flags of `storegate store`. Nothing is logged below errors by default: what a command finds is its output."""
    options = [option for option in flag_options() if option.name in SHARED]
    for option in options:
        if option.name == "log.level":
            option.help = str(option.help).replace("[default: info]", f"[default: {LOG_LEVEL}]")
    return [*options]


def selection_options() -> list[click.Parameter]:
    """Which blocks to show."""
    return [
        option(
            ["--selector", "-l", "selectors"],
            SHOW,
            'Blocks whose external labels match, such as region="eu" or \'{region=~"eu|us"}\'; repeatable.',
            multiple=True,
            metavar="MATCHERS",
        ),
        option(
            ["--from", "start"],
            SHOW,
            "Blocks that reach past this time: RFC 3339, or relative such as -2d.",
            metavar="TIME",
        ),
        option(["--until", "end"], SHOW, "Blocks that begin by this time.", metavar="TIME"),
        option(
            ["--state", "states"],
            SHOW,
            f"Blocks in this state ({', '.join(State)}); repeatable.",
            multiple=True,
            type=click.Choice([state.value for state in State]),
            metavar="STATE",
        ),
    ]


def json_option(what: str) -> click.Parameter:
    """`--json`."""
    return option(["--json", "as_json"], OUTPUT, f"Print {what} as JSON.", is_flag=True)


def option(names: list[str], section: str, text: str, **more: Any) -> FlagOption:
    """An option in a section of the help."""
    made = FlagOption(names, help=text, **more)
    made.section = section
    return made


def chosen(values: dict[str, Any]) -> Chosen:
    """Sort the values of a command line. Raises click.UsageError, InvalidRequestError for a bad expression."""
    flags = {"log.level": LOG_LEVEL} | given_flags({name: value for name, value in values.items() if name in SHARED})
    own = {name: value for name, value in values.items() if name not in SHARED}
    now = time.time_ns() // 1_000_000
    matchers = [matcher for text in own.pop("selectors", ()) for matcher in parse_selector(text)]
    selection = Selection(
        matchers=MatcherCompiler().compile(matchers),
        start=_time("--from", own.pop("start", None), now),
        end=_time("--until", own.pop("end", None), now),
        states=frozenset(map(State, own.pop("states", ()))),
    )
    return Chosen(flags, selection, own)


def sort_option(keys: Iterable[str], default: str) -> list[click.Parameter]:
    """`--sort` and `--reverse`."""
    names = list(keys)
    return [
        option(
            ["--sort", "sort"],
            OUTPUT,
            f"Order: {', '.join(names)}; repeatable. [default: {default}]",
            multiple=True,
            type=click.Choice(names),
            metavar="KEY",
        ),
        option(["--reverse"], OUTPUT, "The other way round.", is_flag=True),
    ]


def _time(name: str, text: str | None, now: int) -> int | None:
    if text is None:
        return None
    try:
        return resolve_time(text, now)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=f"'{name}'") from None
