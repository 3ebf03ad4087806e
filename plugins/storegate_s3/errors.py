"""The one place where answers of S3 and failures of its connections become errors of storegate.

Messages name the bucket and the key. They hold code and message of the store, never a header or a signed URL.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz

import urllib3.exceptions

from storegate import ConfigurationError, DeniedError, NotFoundError, StoregateError, ThrottledError, UnavailableError
from storegate_s3.markup import xml_text

THROTTLED = frozenset(
    {"SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "RequestLimitExceeded", "TooManyRequests"}
    | {"Throttling", "ThrottlingException", "RequestThrottled", "RequestThrottledException", "BandwidthLimitExceeded"}
)
DENIED = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})  # with status 400
AGAIN = frozenset({"RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", "OperationAborted"})
ELSEWHERE = frozenset({"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"})
HINTS = {
    "AccessDenied": "the credentials need s3:GetObject and s3:ListBucket; without the latter S3 also answers so"
    " for an object that does not exist",
    "ExpiredToken": "the session token is too old",
    "InvalidAccessKeyId": "the store does not know the access key",
    "InvalidObjectState": "the object lies in an archive: restore it",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "SignatureDoesNotMatch": "the secret key is wrong, or a proxy changes requests",
}
LONGEST_TEXT = 300


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success. `region` is where the store says that the bucket is."""

    status: int
    code: str = ""
    message: str = ""
    region: str = ""
    endpoint: str = ""
    retry_after: float | None = None

    @classmethod
    def of(cls, status: int, headers: urllib3.HTTPHeaderDict, body: bytes) -> Refusal:
        """Read from an answer; the body may be empty (HEAD) or anything (a proxy's page)."""
        return cls(
            status=status,
            code=xml_text(body, "Code"),
            message=_clipped(xml_text(body, "Message")),
            region=headers.get("x-amz-bucket-region", "") or xml_text(body, "Region"),
            endpoint=xml_text(body, "Endpoint"),
            retry_after=_seconds(headers.get("Retry-After", "")),
        )

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later."""
        code, status = self.code, self.status
        return code in THROTTLED | AGAIN or status in (408, 429) or (status >= 500 and status != 501)

    def error(self, where: str) -> StoregateError:
        """What it means for `where`, the object or bucket that was asked for."""
        status, code = self.status, self.code
        said = (
            f"({' '.join(str(part) for part in (status, code) if part)}{f': {self.message}' if self.message else ''})"
        )
        if code == "NoSuchBucket":
            return ConfigurationError(
                f"{where}: the bucket does not exist {said}: check `bucket`, `endpoint`, `region`"
            )
        if code in ELSEWHERE or status in (301, 302, 307, 308):
            return ConfigurationError(f"{where}: {self._elsewhere()} {said}")
        if status == 429 or status == 503 or code in THROTTLED:
            return ThrottledError(f"{where}: the store asks to slow down {said}", self.retry_after)
        if status == 404:
            return NotFoundError(f"no object {where}" + (f" {said}" if code not in ("", "NoSuchKey") else ""))
        if status in (401, 403) or code in DENIED:
            hint = HINTS.get(code or "AccessDenied", "check credentials and permissions")
            return DeniedError(f"no access to {where} {said}: {hint}")
        if self.is_passing:
            return UnavailableError(f"{where}: the store failed {said}")
        return ConfigurationError(f"{where}: the store refuses the request {said}")

    def _elsewhere(self) -> str:
        if self.region:
            return f"the bucket is in region {self.region!r}: set `region` to it"
        if self.endpoint:
            return f"the bucket is served by {self.endpoint!r}: set `endpoint` to it"
        return "the store redirects elsewhere: check `endpoint` and `region`"


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise failures of the connection as UnavailableError, or as ConfigurationError where TLS is set up wrongly."""
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as error:
        if isinstance(error, StoregateError):
            raise
        raise _connection_error(error, where) from error


def _connection_error(error: Exception, where: str) -> StoregateError:
    cause = _certificate_problem(error)
    if cause is not None:
        return ConfigurationError(
            f"{where}: the certificate of the store is not accepted ({cause}): check http_config.tls_config"
        )
    return UnavailableError(f"cannot reach {where}: {_reason(error)}")


def _certificate_problem(error: BaseException | None) -> str | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.args[0] if error.args and isinstance(error.args[0], Exception) else error.__cause__
    return None


def _reason(error: Exception) -> str:
    kinds = urllib3.exceptions
    for kind, text in (
        (kinds.NameResolutionError, "its host name cannot be resolved"),
        (kinds.NewConnectionError, "no connection"),
        (kinds.ConnectTimeoutError, "no connection within the time allowed"),
        (kinds.ReadTimeoutError, "no answer within http_config.response_header_timeout"),
        (kinds.EmptyPoolError, "all http_config.max_conns_per_host connections are in use"),
        (kinds.ProxyError, "the proxy failed"),
        (kinds.SSLError, f"TLS failed: {_clipped(str(error))}"),
    ):
        if isinstance(error, kind):
            return text
    return "the connection broke"


def _clipped(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."


def _seconds(header: str) -> float | None:
    """Seconds that a Retry-After header asks to wait; it holds a number or a date."""
    if header.isascii() and header.isdigit():
        return float(header)
    date = parsedate_tz(header)
    return max(0.0, mktime_tz(date) - time.time()) if date else None
