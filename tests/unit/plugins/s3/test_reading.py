"""Bodies of answers, compared with what was promised."""

from __future__ import annotations

import io

import pytest
import urllib3

from storegate import UnavailableError
from storegate_s3.reading import PIECE, range_header, range_size, read_body, read_body_into


def response(body: bytes = b"", status: int = 206, **headers: str) -> urllib3.HTTPResponse:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return urllib3.HTTPResponse(io.BytesIO(body), given, status, preload_content=False)


def test_a_range_is_asked_for_by_its_last_byte() -> None:
    assert range_header(100, 50) == "bytes=100-149"


@pytest.mark.parametrize(
    ("headers", "size"),
    [
        ({"Content_Range": "bytes 100-149/1000", "Content_Length": "50"}, 50),
        ({"Content_Range": "bytes 100-149/*"}, 50),
        ({"Content_Range": "bytes 100-119/120", "Content_Length": "20"}, 20),
        ({"Content_Range": "bytes 100-119/*"}, 20),
    ],
)
def test_a_range_may_be_short_where_the_object_ends(headers: dict[str, str], size: int) -> None:
    assert range_size(response(**headers), "k", 100, 50) == size


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content_Range": "bytes 0-49/1000"},
        {"Content_Range": "bytes 100-150/1000"},
        {"Content_Range": "bytes 100-119/1000"},
        {"Content_Range": "bytes 100-99/1000"},
        {"Content_Range": "bytes 100-149/1000", "Content_Length": "51"},
        {"Content_Range": "items 100-149/1000"},
    ],
    ids=["none", "elsewhere", "longer", "short before the end", "empty", "other length", "unit"],
)
@pytest.mark.parametrize("status", [200, 206])
def test_another_range_is_refused(headers: dict[str, str], status: int) -> None:
    with pytest.raises(UnavailableError, match=r"'01H/index'.*bytes=100-149"):
        range_size(response(status=status, **headers), "01H/index", 100, 50)


def test_the_whole_object_is_a_range_that_holds_it() -> None:
    assert range_size(response(status=200, Content_Length="30"), "k", 0, 50) == 30


def test_more_than_the_range_is_refused() -> None:
    with pytest.raises(UnavailableError):
        range_size(response(status=200, Content_Length="51"), "k", 0, 50)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_a_buffer_is_filled_with_the_body(size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    buffer = bytearray(size)
    read_body_into(response(data[:size]), "k", memoryview(buffer))
    assert buffer == data[:size]


@pytest.mark.parametrize("size", [9, 11])
def test_a_body_of_another_size_is_an_error(size: int) -> None:
    with pytest.raises(UnavailableError, match="'k'"):
        read_body_into(response(b"x" * size), "k", memoryview(bytearray(10)))
    with pytest.raises(UnavailableError, match="'k'"):
        read_body(response(b"x" * size), "k", 10)


def test_a_body_of_unknown_size_is_read_to_its_end() -> None:
    assert read_body(response(b"abc"), "k", None) == b"abc"
