"""Answers of a store, and what they mean to a caller."""

from __future__ import annotations

import re

import pytest
import urllib3

from storegate import (
    ConfigurationError,
    DeniedError,
    NotFoundError,
    StoregateError,
    ThrottledError,
    UnavailableError,
)
from storegate.http.answers import BodyError
from storegate_s3.errors import error_of_answer, translated

WHERE = "'01H/index' in bucket 'metrics'"


def refused(status: int, code: str = "", inner: str = "", **headers: str) -> StoregateError:
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code>{inner}</Error>' if code else ""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_of_answer(status, urllib3.HTTPHeaderDict(given), body.encode(), WHERE)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "NoSuchKey", NotFoundError),
        (404, "", NotFoundError),  # HEAD has no body
        (404, "NoSuchBucket", ConfigurationError),
        (403, "AccessDenied", DeniedError),
        (403, "", DeniedError),
        (403, "InvalidAccessKeyId", DeniedError),
        (403, "SignatureDoesNotMatch", DeniedError),
        (403, "RequestTimeTooSkewed", DeniedError),
        (403, "InvalidObjectState", DeniedError),
        (401, "", DeniedError),
        (400, "ExpiredToken", DeniedError),
        (400, "InvalidToken", DeniedError),
        (503, "SlowDown", ThrottledError),
        (503, "", ThrottledError),
        (429, "", ThrottledError),
        (400, "RequestLimitExceeded", ThrottledError),
        (500, "InternalError", UnavailableError),
        (502, "", UnavailableError),
        (504, "", UnavailableError),
        (408, "", UnavailableError),
        (400, "RequestTimeout", UnavailableError),
        (400, "BadDigest", UnavailableError),
        (400, "InvalidRequest", StoregateError),
        (405, "MethodNotAllowed", StoregateError),
        (301, "PermanentRedirect", ConfigurationError),
        (307, "", ConfigurationError),
        (400, "AuthorizationHeaderMalformed", ConfigurationError),
        (400, "IllegalLocationConstraintException", ConfigurationError),
    ],
)
def test_an_answer_becomes_the_error_that_says_what_to_do(status: int, code: str, kind: type[StoregateError]) -> None:
    error = refused(status, code)
    assert type(error) is kind
    assert WHERE in str(error)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_failing_store_does_not_ask_to_slow_down(status: int) -> None:
    assert not isinstance(refused(status), ThrottledError)


@pytest.mark.parametrize(("status", "code"), [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")])
def test_the_text_names_the_region_of_the_bucket(status: int, code: str) -> None:
    assert "region 'eu-west-1'" in str(refused(status, code, "<Region>eu-west-1</Region>"))
    assert "region 'eu-west-1'" in str(refused(status, code, x_amz_bucket_region="eu-west-1"))


def test_the_text_names_the_endpoint_that_is_told() -> None:
    error = refused(301, "PermanentRedirect", "<Endpoint>metrics.s3.example</Endpoint>")
    assert "'metrics.s3.example': set `endpoint`" in str(error)


def test_the_time_to_wait_is_told() -> None:
    error = refused(400, "RequestLimitExceeded", Retry_After="7")
    assert isinstance(error, ThrottledError)
    assert error.retry_after == 7


def test_a_missing_right_to_list_is_explained() -> None:
    assert "s3:ListBucket" in str(refused(403))


def test_a_text_holds_what_the_store_said_in_short() -> None:
    text = str(refused(403, "AccessDenied", f"<Message>not &quot;you&quot;\n{'x' * 1000}</Message>"))
    assert '(AccessDenied: not "you" xxx' in text
    assert len(text) < 700


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"\xff\xfe", b"<Code>", b"<Code>" + b"x" * 100_000])
def test_any_body_is_borne(body: bytes) -> None:
    assert isinstance(error_of_answer(500, {}, body, WHERE), UnavailableError)


@pytest.mark.parametrize(
    "error",
    [TimeoutError("x"), ConnectionResetError("x"), urllib3.exceptions.ProtocolError("x"), BodyError("x")],
)
def test_a_broken_connection_is_unavailable(error: Exception) -> None:
    with pytest.raises(UnavailableError, match=re.escape(WHERE)), translated(WHERE):
        raise error


def test_errors_of_storegate_pass() -> None:
    with pytest.raises(NotFoundError), translated(WHERE):
        raise NotFoundError("gone")
