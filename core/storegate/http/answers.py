"""What the answers of an HTTP object store mean. Pure."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from storegate.errors import (
    ConfigurationError,
    DeniedError,
    NotFoundError,
    StoregateError,
    ThrottledError,
    UnavailableError,
)

THROTTLED = frozenset({429, 503})
CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class StatusError(Exception):
    """An answer that is no success; `body` is the begin of its body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.headers = headers
        self.body = body


class BodyError(Exception):
    """An answer whose body is not what its headers promise, or not what was asked for."""


def error_of_status(status: int, headers: Mapping[str, str], what: str, *, code: str, hint: str) -> StoregateError:
    """The error for `status`, about `what`, such as `'key' in GCS bucket 'metrics'`.

    `code` is the reason in the words of the store, empty where it gave none. `hint` says what to do when access is
    denied.
    """
    reason = f"status {status}" + (f" ({code})" if code else "")
    if status in (401, 403):
        return DeniedError(f"no access to {what}: {reason}; {hint}")
    if status == 404:
        return NotFoundError(f"no object {what}")
    if status in THROTTLED:
        return ThrottledError(f"throttled at {what}: {reason}", retry_after(headers))
    if status == 408 or status >= 500:
        return UnavailableError(f"cannot reach {what}: {reason}")
    return StoregateError(f"request refused at {what}: {reason}")


def unreachable(error: BaseException, what: str) -> StoregateError:
    """The error for a request that got no answer, or half of one."""
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ConfigurationError(
            f"cannot reach {what}: its certificate is not accepted ({cause.verify_message}): set http_config.tls_config"
        )
    text = getattr(cause, "strerror", None) or str(cause)
    return UnavailableError(f"cannot reach {what}: {type(cause).__name__}" + (f": {text}" if text else ""))


def _cause(error: BaseException) -> BaseException:
    """What is at the bottom of an error of a client library: those above it quote URLs, which may hold signatures."""
    while True:
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((part for part in error.args if isinstance(part, BaseException)), error.__cause__)
        if inner is None:
            return error
        error = inner


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the header Retry-After asks to wait; None where it does not say."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def promised_length(status: int, headers: Mapping[str, str], offset: int, size: int) -> int:
    """Bytes that the answer to a request for `size` bytes from `offset` must have. Raises BodyError."""
    if status == 200:  # the whole object
        length = headers.get("Content-Length", "")
        if offset == 0 and length.isdecimal() and int(length) <= size:
            return int(length)
        raise BodyError("the server gave the whole object instead of a range")
    match = CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if match is None:
        raise BodyError("the answer does not say which range it holds")
    first, end = int(match[1]), int(match[2]) + 1
    whole = match[3] == "*" or end == min(offset + size, int(match[3]))
    if first != offset or not whole or not first <= end <= offset + size:  # empty: Azurite's answer at the end
        raise BodyError(f"asked for {size} bytes from {offset}, the server gave the range {match[0]!r}")
    return end - first
