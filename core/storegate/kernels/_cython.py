"""What the kernels need of the `cython` module when Cython is not installed: names that do nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

compiled = False


def _decorate(*args: Any, **options: Any) -> Any:
    """Serve as `@name` and as `@name(...)` alike."""
    if len(args) == 1 and callable(args[0]) and not options:
        return args[0]
    return lambda function: function


class _NoGil:
    """Both a decorator and a context manager."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: object) -> None:
        return None


cfunc = inline = exceptval = _decorate
nogil = _NoGil()
uchar = uint = longlong = ulonglong = Py_ssize_t = bint = None


def cast(type_: object, value: Any, **options: Any) -> Any:
    """Values stay as they are: callers cast only what fits."""
    return value
