"""What answers of HTTP object stores mean."""

from __future__ import annotations

import ssl
from email.utils import formatdate
from time import time

import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from storegate import (
    ConfigurationError,
    DeniedError,
    NotFoundError,
    StoregateError,
    ThrottledError,
    UnavailableError,
)
from storegate.http.answers import BodyError, error_of_status, promised_length, retry_after, unreachable

SECRET = "sig=secret"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, StoregateError),
        (401, DeniedError),
        (403, DeniedError),
        (404, NotFoundError),
        (408, UnavailableError),
        (429, ThrottledError),
        (500, UnavailableError),
        (502, UnavailableError),
        (503, ThrottledError),
    ],
)
def test_a_status_is_an_error_by_what_a_caller_can_do(status: int, kind: type[StoregateError]) -> None:
    error = error_of_status(status, {}, "'key' in 'bucket'", code="", hint="")
    assert type(error) is kind


def test_an_error_names_the_object_the_reason_and_what_to_do() -> None:
    error = error_of_status(403, {}, "'key' in 'bucket'", code="NoPermission", hint="ask the owner")
    assert str(error) == "no access to 'key' in 'bucket': status 403 (NoPermission); ask the owner"


@pytest.mark.parametrize(("value", "seconds"), [("0", 0.0), ("7", 7.0), ("", None), ("soon", None), ("-3", None)])
def test_retry_after_is_seconds(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}) == seconds


def test_retry_after_may_be_a_date() -> None:
    assert retry_after({"Retry-After": formatdate(time() + 30, usegmt=True)}) == pytest.approx(30, abs=2)
    assert retry_after({"Retry-After": formatdate(time() - 30, usegmt=True)}) == 0.0


def test_no_retry_after_says_nothing() -> None:
    assert retry_after({}) is None


@given(size=st.integers(1, 50), offset=st.integers(0, 60), total=st.integers(1, 60), known=st.booleans())
def test_the_range_of_a_right_answer_is_what_the_object_has_of_it(
    size: int, offset: int, total: int, known: bool
) -> None:
    end = min(offset + size, total)
    if offset < end:
        headers = {"Content-Range": f"bytes {offset}-{end - 1}/{total if known else '*'}"}
        assert promised_length(206, headers, offset, size) == end - offset


def test_a_range_may_be_empty_where_the_object_ends() -> None:
    assert promised_length(206, {"Content-Range": "bytes 10-9/10"}, 10, 10) == 0


@pytest.mark.parametrize(
    "content_range",
    ["", "bytes */100", "bytes 10-18/100", "bytes 10-20/100", "bytes 9-19/100", "bytes 10-9/100", "bytes 10-8/9"],
)
def test_another_range_than_the_one_asked_for_is_an_error(content_range: str) -> None:
    with pytest.raises(BodyError):
        promised_length(206, {"Content-Range": content_range}, 10, 10)


def test_a_whole_object_will_do_where_it_is_the_range() -> None:
    assert promised_length(200, {"Content-Length": "5"}, 0, 10) == 5


@pytest.mark.parametrize(("length", "offset"), [("5", 1), ("11", 0), ("", 0)])
def test_a_whole_object_instead_of_a_part_is_an_error(length: str, offset: int) -> None:
    with pytest.raises(BodyError, match="whole object"):
        promised_length(200, {"Content-Length": length}, offset, 10)


def error_of_requests() -> requests.ConnectionError:
    pool = urllib3.HTTPConnectionPool("store.example")
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, f"/key?{SECRET}", ConnectionRefusedError()))


def test_an_unreachable_store_is_unavailable_and_its_url_is_not_told() -> None:
    assert SECRET in str(error_of_requests())
    error = unreachable(error_of_requests(), "'key' in 'bucket'")
    assert isinstance(error, UnavailableError)
    assert str(error) == "cannot reach 'key' in 'bucket': ConnectionRefusedError"


def test_a_certificate_that_is_not_accepted_is_no_reason_to_try_again() -> None:
    cause = ssl.SSLCertVerificationError("no")
    cause.verify_message = "self-signed certificate"
    error = unreachable(urllib3.exceptions.SSLError(cause), "the bucket")
    assert isinstance(error, ConfigurationError)
    assert "self-signed certificate" in str(error)
    assert "tls_config" in str(error)
