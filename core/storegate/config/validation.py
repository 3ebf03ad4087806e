"""From plain data to a pydantic model, with errors that an operator can act on."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, Union

from pydantic import BaseModel, ValidationError

from storegate.errors import ConfigurationError

AnyModel = TypeVar("AnyModel", bound=BaseModel)


def check(model: type[AnyModel], data: object, *, source: str = "", path: str = "") -> AnyModel:
    """`data` as an instance of `model`.

    Raises ConfigurationError, one line that names `source` (a file or a flag), the path of each wrong key below
    `path`, and for unknown keys the likely meaning. Values are not quoted: they may be secrets.
    """
    if not isinstance(data, Mapping):
        what = "is empty" if data is None else f"must be a mapping of keys to values, not {type(data).__name__}"
        raise ConfigurationError(_join(source, path or "", what))
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [_problem(model, detail, path) for detail in error.errors(include_url=False, include_input=False)]
        raise ConfigurationError(_join(source, "; ".join(problems))) from None


def suggestion(word: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` for the nearest of the known words; empty when none is near."""
    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=1)
    return f", did you mean {by_folded[near[0]]!r}?" if near else ""


def _problem(model: type[BaseModel], detail: Any, path: str) -> str:
    location: tuple[int | str, ...] = detail["loc"]
    where = path
    for part in location:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else part
    kind = detail["type"]
    if kind == "extra_forbidden":
        parent = _model_at(model, location[:-1])
        known = _keys(parent) if parent else ()
        return f"{where}: unknown key" + (suggestion(str(location[-1]), known) or _listing(known))
    if kind == "missing":
        return f"{where}: required, but not given"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{where}: {message[:1].lower()}{message[1:]}" if where else message


def _keys(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _listing(known: Sequence[str]) -> str:
    return f" (known: {', '.join(known)})" if known else " (there are no keys here)"


def _model_at(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel] | None:
    """The nested model that a location of a validation error lies in."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel) and isinstance(part, str):
            names = {field.alias or name: field for name, field in current.model_fields.items()}
            if part in names:
                current = _strip_optional(names[part].annotation)
            continue
        arguments = typing.get_args(current)
        # an item of a list, or a value of a dict
        current = _strip_optional(arguments[1 if typing.get_origin(current) is dict else 0]) if arguments else None
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _strip_optional(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (Union, types.UnionType):
        present = [option for option in typing.get_args(annotation) if option is not type(None)]
        return present[0] if len(present) == 1 else annotation
    return annotation


def _join(*parts: str) -> str:
    return ": ".join(part for part in parts if part)
