"""Which blocks to show: matchers over external labels, a stretch of time, states; and in which order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from storegate.cli.bucket.rows import BlockRow, State
from storegate.index.matchers import Matcher
from storegate.query.request import LabelMatcher, MatchType

T = TypeVar("T")

TYPES = {"=": MatchType.EQ, "!=": MatchType.NEQ, "=~": MatchType.RE, "!~": MatchType.NRE}
_NAME = r"""[a-zA-Z_][a-zA-Z0-9_.:]*|"(?:[^"\\]|\\.)*\""""
_ONE = re.compile(rf"""\s*({_NAME})\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^"=~!,{{}}\s][^",{{}}\s]*)\s*(?:,|$)""")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_selector(text: str) -> list[LabelMatcher]:
    """Matchers as Prometheus writes them, with or without braces; values of one word need no quotes.

    Raises click.BadParameter.
    """
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1].strip()
    matchers, at = [], 0
    while at < len(inner):
        match = _ONE.match(inner, at)
        if match is None:
            raise click.BadParameter(
                f'{text!r}: expected name="value" (or !=, =~, !~) at {inner[at:]!r}', param_hint="'--selector'"
            )
        name, sign, value = match.groups()
        matchers.append(LabelMatcher(TYPES[sign], _plain(name), _plain(value)))
        at = match.end()
    if not matchers:
        raise click.BadParameter(f"{text!r} holds no matcher", param_hint="'--selector'")
    return matchers


def _plain(text: str) -> str:
    if not text.startswith('"'):
        return text
    return _ESCAPED.sub(lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), text[1:-1])


@dataclass(frozen=True, slots=True)
class Selection:
    """What to show. Times are ms, both inclusive, None where open; `states` are empty when all will do."""

    matchers: Sequence[Matcher] = ()
    start: int | None = None
    end: int | None = None
    states: frozenset[State] = frozenset()

    def takes(self, row: BlockRow) -> bool:
        """Whether a block is to be shown. One without a readable meta.json has no labels and no time to go by."""
        if self.states and row.state not in self.states:
            return False
        if row.meta is None:
            return not self.matchers and self.start is None and self.end is None
        if self.start is not None and row.meta.max_time <= self.start:
            return False
        if self.end is not None and row.meta.min_time > self.end:
            return False
        labels = row.meta.labels
        return all(matcher.matches(labels.get(matcher.name.decode(), "").encode()) for matcher in self.matchers)


def ordered(items: Iterable[T], keys: Mapping[str, Callable[[T], Any]], by: Sequence[str], *, reverse: bool) -> list[T]:
    """Sorted by several keys, the first one deciding."""
    return sorted(items, key=lambda item: [keys[name](item) for name in by], reverse=reverse)
