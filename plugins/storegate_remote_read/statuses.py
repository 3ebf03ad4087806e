"""Errors of the engine as HTTP statuses: the one table."""

from __future__ import annotations

from storegate.errors import (
    CancelledError,
    DeadlineError,
    InvalidRequestError,
    LimitError,
    StoregateError,
    UnavailableError,
)

STATUSES: tuple[tuple[type[StoregateError], int], ...] = (
    (InvalidRequestError, 400),
    (LimitError, 422),  # trying again does not help, as it would with 429
    (CancelledError, 499),  # nginx' number for a client that went away
    (DeadlineError, 504),
    (UnavailableError, 503),
)
MAX_TEXT = 4096  # characters


def http_status(error: Exception) -> tuple[int, str]:
    """Status and one line of text. What nobody expected is 500, and its text stays in the log."""
    if not isinstance(error, StoregateError):
        return 500, f"unexpected {type(error).__name__}; the gateway's log has the details"
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
    block = f"block {error.block}: " if error.block else ""
    return status, " ".join(f"{block}{error}".split())[:MAX_TEXT]
