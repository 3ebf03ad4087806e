"""Log lines in logfmt or JSON on stderr, or to the journal: `ts caller level component msg err`, then the rest.

`configure` is called before the first line, and again when the settings change: loggers made by `structlog.get_logger`
follow it, those that `bind` returns keep to what held when they were made. Lines of libraries, which use the standard
module `logging`, take the same way. Values are written as they are: callers must not log secrets.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import structlog

from storegate.errors import ConfigurationError
from storegate.journald import JournalWriter

Event = MutableMapping[str, Any]

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_SHORT = {"warning": "warn", "critical": "error", "exception": "error", "notset": "debug"}
_FIRST = ["ts", "caller", "level", "name", "component", "msg", "err"]


def configure(level: str = "info", format: str = "logfmt", name: str = "") -> None:
    """Set up all logging of the process. `name` is added to every line.

    Raises ConfigurationError for `journald` on a machine without a journal.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.CallsiteParameterAdder(
            {structlog.processors.CallsiteParameter.FILENAME, structlog.processors.CallsiteParameter.LINENO}
        ),
        _Frame(name),
        structlog.processors.format_exc_info,
    ]
    renderer = _renderer(format)
    writer: Any = _journal() if format == "journald" else sys.stderr
    structlog.configure(
        processors=[structlog.processors.add_log_level, *shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(writer),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, _component_of_logger, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])


def _renderer(format: str) -> list[Any]:
    if format == "logfmt":
        return [
            _plain_values,
            structlog.processors.LogfmtRenderer(key_order=_FIRST, drop_missing=True, bool_as_flag=False),
        ]
    return [_plain_values, structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False)]


class _Frame:
    """Gives a line its time, caller and short level, and moves structlog's `event` to `msg`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, logger: Any, method: str, event: Event) -> Event:
        event["ts"] = timestamp(time.time_ns())
        event["caller"] = f"{event.pop('filename', '?')}:{event.pop('lineno', 0)}"
        level = str(event.get("level", method))
        event["level"] = _SHORT.get(level, level)
        if self._name:
            event.setdefault("name", self._name)
        event["msg"] = event.pop("event", "")
        return event


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 in UTC with nanoseconds, trailing zeros left out."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    digits = f"{fraction:09d}".rstrip("0")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + (f".{digits}Z" if digits else "Z")


def _plain_values(logger: Any, method: str, event: Event) -> Event:
    """Exceptions and other objects as text; numbers, booleans and null stay."""
    return {key: value if isinstance(value, str | int | float | None) else _text(value) for key, value in event.items()}


def _text(value: Any) -> str:
    if isinstance(value, BaseException):
        return str(value) or type(value).__name__
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(str(item) for item in value)
    return str(value)


def _component_of_logger(logger: Any, method: str, event: Event) -> Event:
    record = event.get("_record")
    if record is not None:
        event.setdefault("component", record.name)
    return event


def _journal() -> JournalWriter:
    try:
        return JournalWriter()
    except OSError as error:
        raise ConfigurationError(f"log.format journald: this machine has no journal: {error.strerror}") from None
