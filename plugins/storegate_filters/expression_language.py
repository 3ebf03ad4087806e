"""A small language of conditions on a block: `level >= 2 and age > 14d and labels.tenant =~ "a.*"`.

Parsed by a grammar, never evaluated as code. A condition compares a field with a constant of the field's kind;
conditions are joined by `and`, `or`, `not` and parentheses. Mistakes are found when the configuration is read:
ValueError with the place and what would be right.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, v_args
from lark.exceptions import VisitError

from storegate import BlockMeta, FilterContext
from storegate.config.units import parse_bytes, parse_duration, parse_time
from storegate_filters.relabel import compile_regex

Condition = Callable[[BlockMeta, FilterContext], bool]
Getter = Callable[[BlockMeta, FilterContext], Any]

_GRAMMAR = r"""
?start: either
?either: both ("or" both)*
?both: unary ("and" unary)*
?unary: "not" unary -> negation
      | "(" either ")"
      | FIELD OPERATOR constant -> comparison
constant: STRING | WORD
FIELD.2: /labels\.[a-zA-Z_][a-zA-Z0-9_]*|[a-z]+(_[a-z]+)*(?=\s*(==|!=|=~|!~|<|>|=))/
OPERATOR: "==" | "!=" | "=~" | "!~" | "<=" | ">=" | "<" | ">"
STRING: /"([^"\\]|\\.)*"/ | /'([^'\\]|\\.)*'/
WORD: /[-+]?[0-9][a-zA-Z0-9.:+-]*/
%import common.WS
%ignore WS
"""

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_REGEX = ("=~", "!~")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


def _milliseconds(text: str) -> float:
    return parse_duration(text) * 1000


def _bytes(text: str) -> int:
    return int(text) if text.isdigit() else parse_bytes(text)


_FIELDS: dict[str, tuple[Getter, Callable[[str], Any] | None]] = {
    "ulid": (lambda meta, _: meta.ulid, None),
    "source": (lambda meta, _: meta.source, None),
    "level": (lambda meta, _: meta.level, _number),
    "sources": (lambda meta, _: len(meta.sources), _number),
    "series": (lambda meta, _: meta.num_series, _number),
    "samples": (lambda meta, _: meta.num_samples, _number),
    "chunks": (lambda meta, _: meta.num_chunks, _number),
    "resolution": (lambda meta, _: meta.resolution, _milliseconds),
    "span": (lambda meta, _: meta.max_time - meta.min_time, _milliseconds),
    "age": (lambda meta, context: context.now - meta.max_time, _milliseconds),
    "min_time": (lambda meta, _: meta.min_time, parse_time),
    "max_time": (lambda meta, _: meta.max_time, parse_time),
    "size": (lambda meta, _: sum(meta.files.values()), _bytes),
}
"""What can be compared, and how its constants are read; None is text. `labels.NAME` is text as well."""


def parse(text: str) -> Condition:
    """The condition that `text` describes. Raises ValueError."""
    try:
        tree = _parser().parse(text)
        return _Build().transform(tree)
    except UnexpectedInput as error:
        ended = getattr(getattr(error, "token", None), "type", "") == "$END"
        place = "at its end" if ended else f"at character {error.column}"
        raise ValueError(
            f"expression {text!r} makes no sense {place}; it should look like: level >= 2 and age > 14d and "
            'labels.tenant =~ "a.*"'
        ) from None
    except VisitError as error:
        raise ValueError(f"expression {text!r}: {error.orig_exc}") from None


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr")


@v_args(inline=True)
class _Build(Transformer[Token, Condition]):
    """Turns a tree into one function, from the leaves up."""

    def constant(self, token: Token) -> tuple[bool, str]:
        if token.type == "WORD":
            return False, str(token)
        body = token[1:-1]
        return True, body.replace("\\" + token[0], token[0]).replace("\\\\", "\\")

    def comparison(self, field: Token, sign: Token, constant: tuple[bool, str]) -> Condition:
        get, read = self._field(str(field))
        quoted, text = constant
        if sign in _REGEX:
            if read is not None:
                raise ValueError(f"{field} is no text, {sign} cannot be applied to it")
            pattern, wanted = compile_regex(text), sign == "=~"
            return lambda meta, context: (pattern.fullmatch(get(meta, context)) is not None) is wanted
        if read is None and not quoted:
            raise ValueError(f"{field} is text: put {text} in quotes")
        if read is None and sign not in ("==", "!="):
            raise ValueError(f"{field} is text: it can be compared by ==, !=, =~ and !~ alone")
        try:
            value = text if read is None else read(text)
        except ValueError as error:
            raise ValueError(f"{field}: {error}") from None
        compare = _COMPARE[sign]
        return lambda meta, context: compare(get(meta, context), value)

    def either(self, *parts: Condition) -> Condition:
        return lambda meta, context: any(part(meta, context) for part in parts)

    def both(self, *parts: Condition) -> Condition:
        return lambda meta, context: all(part(meta, context) for part in parts)

    def negation(self, part: Condition) -> Condition:
        return lambda meta, context: not part(meta, context)

    def _field(self, name: str) -> tuple[Getter, Callable[[str], Any] | None]:
        if name.startswith("labels."):
            label = name.removeprefix("labels.")
            return lambda meta, _: meta.labels.get(label, ""), None
        if name not in _FIELDS:
            raise ValueError(f"unknown field {name} (known: {', '.join(_FIELDS)}, labels.NAME)")
        return _FIELDS[name]
