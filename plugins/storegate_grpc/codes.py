"""Errors of the engine as gRPC statuses: the one table (StoreAPI 6.2, 6.3)."""

from __future__ import annotations

import grpc

from storegate.errors import (
    CancelledError,
    DeadlineError,
    InvalidRequestError,
    LimitError,
    StoregateError,
)

CODES: tuple[tuple[type[StoregateError], grpc.StatusCode], ...] = (
    (InvalidRequestError, grpc.StatusCode.INVALID_ARGUMENT),
    (LimitError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (CancelledError, grpc.StatusCode.CANCELLED),
    (DeadlineError, grpc.StatusCode.DEADLINE_EXCEEDED),
)
LIMIT_MARK = "rpc error: code = ResourceExhausted desc = "  # queriers look for it in the text
MAX_MESSAGE = 4096  # characters; the status travels in a header, and headers are small


class NotReadyError(StoregateError):
    """Info was asked before the first sync or during shutdown."""


def series_status(error: StoregateError) -> tuple[grpc.StatusCode, str]:
    """Code and text for a failed `Series` call."""
    return _code(error) or _series_code(error), _text(error, _series_prefix(error))


def unary_status(error: StoregateError) -> tuple[grpc.StatusCode, str]:
    """Code and text for a failed `LabelNames`, `LabelValues` or `Info` call."""
    if isinstance(error, NotReadyError):
        return grpc.StatusCode.UNKNOWN, str(error)
    prefix = f"iterate series for block {error.block}: " if error.block else ""
    return _code(error) or grpc.StatusCode.INTERNAL, _text(error, prefix)


def _code(error: StoregateError) -> grpc.StatusCode | None:
    return next((code for kind, code in CODES if isinstance(error, kind)), None)


def _series_code(error: StoregateError) -> grpc.StatusCode:
    return grpc.StatusCode.ABORTED if error.stage == "postings" else grpc.StatusCode.UNKNOWN


def _series_prefix(error: StoregateError) -> str:
    if not error.block:
        return ""
    return (
        f"fetch postings for block {error.block}: "
        if error.stage == "postings"
        else f"receive series from {error.block}: "
    )


def _text(error: StoregateError, prefix: str) -> str:
    text = str(error)
    if isinstance(error, LimitError) and LIMIT_MARK not in text:
        text = LIMIT_MARK + text
    return (prefix + text)[:MAX_MESSAGE]
