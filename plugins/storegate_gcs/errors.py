"""The one place where answers of Google and failures of connections become errors of storegate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import urllib3
from google.auth.exceptions import GoogleAuthError, TransportError

from storegate import ConfigurationError, DeniedError, StoregateError, UnavailableError
from storegate.http.answers import BodyError, StatusError, error_of_status, unreachable

RATE_LIMITS = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
"""Reasons that the store also gives with status 403, of requests that come too fast."""
HINT = "check the credentials; they need storage.objects.get and .list, which Storage Object Viewer has"
NO_BUCKET = "bucket does not exist"
"""What tells a missing bucket from a missing object: both are status 404, reason notFound."""


@contextmanager
def translated(bucket: str, key: str = "") -> Iterator[None]:
    """Raise what happened to `key` (empty: to the bucket) as an error of storegate.

    `from None`: errors of google-auth and requests hold requests with their headers.
    """
    what = f"{key!r} in GCS bucket {bucket!r}" if key else f"GCS bucket {bucket!r}"
    try:
        yield
    except StoregateError:
        raise
    except StatusError as error:
        raise _of_answer(error.status, error.headers, what, *_explained(error.body)) from None
    except BodyError as error:
        raise UnavailableError(f"{what}: {error}") from None
    except GoogleAuthError as error:
        raise _of_auth(error, what) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise unreachable(error, what) from None


def _of_answer(status: int, headers: Mapping[str, str], what: str, reason: str, message: str) -> StoregateError:
    if status == 404 and (NO_BUCKET in message or what.startswith("GCS bucket")):
        return ConfigurationError(f"{what}: the bucket does not exist: check `bucket`")
    if status == 403 and reason in RATE_LIMITS:
        status = 429
    return error_of_status(status, headers, what, code=reason, hint=HINT)


def _explained(body: bytes) -> tuple[str, str]:
    """Reason and message of an error's body; media requests are answered with text, the others with JSON."""
    try:
        error = json.loads(body)["error"]
        return str(error["errors"][0]["reason"]), str(error["message"])
    except (ValueError, KeyError, IndexError, TypeError):
        return "", body.decode("utf-8", "replace")


def _of_auth(error: GoogleAuthError, what: str) -> StoregateError:
    if isinstance(error, TransportError) or error.retryable:
        return UnavailableError(f"cannot get a token for {what}: {type(error).__name__}")
    reason = error.args[0] if error.args and isinstance(error.args[0], str) else type(error).__name__
    return DeniedError(f"cannot get a token for {what}: {' '.join(reason.split())[:200]}; check the credentials")
