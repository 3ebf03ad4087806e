"""What can go wrong, by what a caller can do about it.

Front ends map these classes to status codes; plugins raise them and nothing else. Every message names the
object, setting or matcher it is about and says what to do. Messages never hold credentials.
"""

from __future__ import annotations


class StoregateError(Exception):
    """The root of every error that storegate raises on purpose.

    `block` and `stage` are filled in by the query engine when an error passes it: the ULID of the block and one of
    `"postings"`, `"series"`, `"chunks"`; both empty elsewhere.
    """

    block: str = ""
    stage: str = ""


class ConfigurationError(StoregateError, ValueError):
    """A setting, flag or file is wrong: fix it and start again."""


class PluginError(ConfigurationError):
    """A plugin that the configuration needs cannot be used: install, upgrade, or disable it."""


class InvalidRequestError(StoregateError, ValueError):
    """The request itself is wrong (a matcher, a hint): the client must change it."""


class NotFoundError(StoregateError, FileNotFoundError):
    """The object does not exist (any more)."""


class DeniedError(StoregateError, PermissionError):
    """The store refuses access: check credentials and permissions."""


class UnavailableError(StoregateError, ConnectionError):
    """The store or the network did not answer: try again later."""


class ThrottledError(UnavailableError):
    """The store asks to slow down; `retry_after` is in seconds, None when it did not say."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CorruptError(StoregateError):
    """Bytes break the rules of their format; `object` names them, `offset` is where (bytes, -1 when unknown)."""

    def __init__(self, message: str, *, object: str = "", offset: int = -1) -> None:
        where = f"{object}: " if object else ""
        at = f" (at offset {offset})" if offset >= 0 else ""
        super().__init__(f"{where}{message}{at}")
        self.object = object
        self.offset = offset


class LimitError(StoregateError):
    """A request went over a limit; `limit` is its name (`series`, `chunks`, `bytes`)."""

    def __init__(self, message: str, *, limit: str, allowed: int, reached: int) -> None:
        super().__init__(message)
        self.limit = limit
        self.allowed = allowed
        self.reached = reached


class CancelledError(StoregateError):
    """The client went away, or an operator ended the query."""


class DeadlineError(StoregateError, TimeoutError):
    """The time that the caller allowed has passed."""
