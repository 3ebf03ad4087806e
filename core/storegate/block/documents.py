"""Reading JSON documents of the bucket: strict about types and ranges, as the Go programs that write them are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from storegate.block.ulids import ZERO_ULID, is_ulid
from storegate.errors import CorruptError

T = TypeVar("T")

INT64 = (-(2**63), 2**63 - 1)
UINT64 = (0, 2**64 - 1)

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """The JSON object that `data` holds; `name` is the object's key, for messages. Raises CorruptError.

    Invalid UTF-8 and lone surrogates become U+FFFD, and of repeated members the last one counts, as in Go.
    """
    text = data.decode(errors="replace")
    try:
        document = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise CorruptError(f"not valid JSON: {error.msg}", object=name, offset=error.pos) from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, or of no value; deep nesting
        raise CorruptError(f"not valid JSON: {error}", object=name) from error
    if not isinstance(document, dict):
        raise CorruptError("must hold a JSON object", object=name)
    return _without_surrogates(document) if _SURROGATE.search(text) else document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


class Members:
    """The members of one JSON object, read by type. Absent members and `null` give the zero value of their type.

    A member of another type, or out of range, raises CorruptError with its path.
    """

    def __init__(self, values: dict[str, Any], name: str, path: str = "") -> None:
        self._values = values
        self._name = name
        self._path = path

    def integer(self, member: str, bounds: tuple[int, int] = INT64) -> int:
        value = self._values.get(member)
        if value is None:
            return 0
        if type(value) is not int:  # bool is an int to Python, and 1.0 or 1e3 are not integers to Go
            raise self.corrupt(member, "must be an integer")
        if not bounds[0] <= value <= bounds[1]:
            raise self.corrupt(member, f"must be between {bounds[0]} and {bounds[1]}, not {value}")
        return value

    def text(self, member: str) -> str:
        return self._typed(member, str, "a string") or ""

    def flag(self, member: str) -> bool:
        return self._typed(member, bool, "true or false") or False

    def ulid(self, member: str) -> str:
        return self._ulid(member, self._values.get(member))

    def ulids(self, member: str) -> tuple[str, ...]:
        return tuple(self._ulid(f"{member}[{i}]", value) for i, value in enumerate(self._array(member)))

    def texts(self, member: str) -> tuple[str, ...]:
        values = self._array(member)
        if not all(isinstance(value, str) or value is None for value in values):
            raise self.corrupt(member, "must hold strings only")
        return tuple(value or "" for value in values)

    def text_map(self, member: str) -> dict[str, str]:
        values: dict[str, Any] = self._typed(member, dict, "an object") or {}
        if not all(isinstance(value, str) or value is None for value in values.values()):
            raise self.corrupt(member, "must hold strings only")
        return {key: value or "" for key, value in values.items()}

    def object(self, member: str) -> Members:
        return Members(self._typed(member, dict, "an object") or {}, self._name, f"{self._path}{member}.")

    def objects(self, member: str) -> list[Members]:
        values = self._array(member)
        if not all(isinstance(value, dict) or value is None for value in values):
            raise self.corrupt(member, "must hold objects only")
        return [Members(value or {}, self._name, f"{self._path}{member}[{i}].") for i, value in enumerate(values)]

    def parsed(self, member: str, parse: Callable[[str], T]) -> T | None:
        """A string member as `parse` reads it, None when absent; its ValueError becomes a CorruptError."""
        value = self._typed(member, str, "a string")
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            raise self.corrupt(member, str(error)) from error

    def corrupt(self, member: str, rule: str) -> CorruptError:
        """The error for a member that breaks a rule."""
        return CorruptError(f"{self._path}{member} {rule}", object=self._name)

    def _array(self, member: str) -> list[Any]:
        return self._typed(member, list, "an array") or []

    def _typed(self, member: str, kind: type[T], wanted: str) -> T | None:
        value = self._values.get(member)
        if value is not None and not isinstance(value, kind):
            raise self.corrupt(member, f"must be {wanted}")
        return value

    def _ulid(self, member: str, value: Any) -> str:
        if value is None:
            return ZERO_ULID
        if not isinstance(value, str) or not is_ulid(value):
            raise self.corrupt(member, f"must be a ULID (26 characters, upper case), not {value!r}")
        return value
