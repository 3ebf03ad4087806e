"""Reading the bodies of answers, whole and in part, with what they promised verified."""

from __future__ import annotations

import re

import urllib3

from storegate import UnavailableError

PIECE = 256 * 1024
"""Bytes that pass through urllib3's memory at a time: its `readinto` copies, and so much stays in the CPU's cache."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


def range_header(offset: int, length: int) -> str:
    """The header Range for `length` > 0 bytes from `offset`."""
    return f"bytes={offset}-{offset + length - 1}"


def range_size(response: urllib3.BaseHTTPResponse, key: str, offset: int, length: int) -> int:
    """How many bytes of the range the answer holds, fewer than `length` only where the object ends.

    Raises UnavailableError for an answer about another range, or about none.
    """
    declared = declared_size(response)
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is not None and int(found[1]) == offset:
        size = int(found[2]) - offset + 1
        ends = size == length or (0 < size < length and found[3] in ("*", str(offset + size)))
        if ends and declared in (None, size):
            return size
    elif response.status == 200 and offset == 0 and declared is not None and declared <= length:
        return declared  # some stores answer so when the range is the object
    got = response.headers.get("Content-Range", "the whole object")
    raise UnavailableError(
        f"{key!r}: asked for {range_header(offset, length)}, got {got}: the store, or a proxy, does not serve ranges"
    )


def read_body(response: urllib3.BaseHTTPResponse, key: str, expected: int | None) -> bytes:
    """The whole body. Raises UnavailableError when it has not the expected size (None: any)."""
    data = response.read()
    if expected is not None and len(data) != expected:
        raise _cut_off(key, len(data), expected)
    return data


def read_body_into(response: urllib3.BaseHTTPResponse, key: str, buffer: memoryview) -> None:
    """Fill `buffer` with the body. Raises UnavailableError when the body is shorter or longer."""
    done, size = 0, len(buffer)
    while done < size and (count := response.readinto(buffer[done : done + PIECE])):
        done += count
    if done < size or response.read(1):
        raise _cut_off(key, done, size)


def declared_size(response: urllib3.BaseHTTPResponse) -> int | None:
    """What Content-Length says; None where it is missing."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _cut_off(key: str, got: int, expected: int) -> UnavailableError:
    return UnavailableError(f"{key!r}: {got} bytes came, {expected} were promised")
