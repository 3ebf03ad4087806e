"""The one place where answers of S3 and failures of connections become errors of storegate.

Messages name the bucket and the key. They hold code and message of the store, never a header or a signed URL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import urllib3

from storegate import ConfigurationError, StoregateError, UnavailableError
from storegate.http.answers import BodyError, StatusError, error_of_status, unreachable
from storegate_s3.markup import xml_text

ELSEWHERE = frozenset({"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"})
DENIED = ("ExpiredToken", "InvalidToken", "TokenRefreshRequired")
THROTTLED = (
    *("SlowDown", "SlowDownRead", "SlowDownWrite", "RequestLimitExceeded", "TooManyRequests", "BandwidthLimitExceeded"),
    *("Throttling", "ThrottlingException", "RequestThrottled", "RequestThrottledException"),
)
PASSING = ("RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", "OperationAborted")
MEANT = dict.fromkeys(DENIED, 403) | dict.fromkeys(THROTTLED, 429) | dict.fromkeys(PASSING, 500)
"""The status that a code stands for: S3 gives many with another one, mostly 400."""

HINTS = {
    "AccessDenied": "check the credentials: they need s3:GetObject and s3:ListBucket; without the latter S3 answers"
    " so for an object that does not exist, too",
    "ExpiredToken": "the session token is too old",
    "InvalidAccessKeyId": "the store does not know the access key",
    "InvalidObjectState": "the object lies in an archive: restore it",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "SignatureDoesNotMatch": "the secret key is wrong, or a proxy changes requests",
}
OTHERWISE = "check the credentials and what they may do"
LONGEST_MESSAGE = 300


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise what happened to `what`, an object or bucket in words, as an error of storegate."""
    try:
        yield
    except StoregateError:
        raise
    except StatusError as error:
        raise error_of_answer(error.status, error.headers, error.body, what) from None
    except BodyError as error:
        raise UnavailableError(f"{what}: {error}") from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise unreachable(error, what) from error


def error_of_answer(status: int, headers: Mapping[str, str], body: bytes, what: str) -> StoregateError:
    """What an answer that is no success means. The body may be empty (HEAD) or anything (a proxy's page)."""
    code, message = xml_text(body, "Code"), clipped(xml_text(body, "Message"))
    said = ": ".join(part for part in (code, message) if part)
    if code == "NoSuchBucket":
        return ConfigurationError(f"{what}: the bucket does not exist: check `bucket`, `endpoint` and `region`")
    if code in ELSEWHERE or 300 <= status < 400:
        return ConfigurationError(f"{what}: {_elsewhere(headers, body)} (status {status}{said and ', ' + said})")
    hint = HINTS.get(code or "AccessDenied", OTHERWISE)
    return error_of_status(MEANT.get(code, status), headers, what, code=said, hint=hint)


def told_region(headers: Mapping[str, str], body: bytes) -> str:
    """The region of the bucket, where an answer tells it; S3 does so in many that are no success."""
    return headers.get("x-amz-bucket-region", "") or xml_text(body, "Region")


def clipped(text: str) -> str:
    """One line, not too long."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}..."


def _elsewhere(headers: Mapping[str, str], body: bytes) -> str:
    if region := told_region(headers, body):
        return f"the bucket is in region {region!r}: set `region` to it"
    if endpoint := xml_text(body, "Endpoint"):
        return f"the bucket is served by {endpoint!r}: set `endpoint` to it"
    return "the store redirects elsewhere: check `endpoint` and `region`"
