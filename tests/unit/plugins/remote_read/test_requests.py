"""What clients may send, and what is said of the rest."""

from __future__ import annotations

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from remote_read.client import CHUNKS, SAMPLES, encode_request, query

from storegate.errors import (
    CancelledError,
    CorruptError,
    DeadlineError,
    DeniedError,
    InvalidRequestError,
    LimitError,
    NotFoundError,
    ThrottledError,
    UnavailableError,
)
from storegate.query.request import LabelMatcher
from storegate.testing.strategies import damaged
from storegate_remote_read import snappy
from storegate_remote_read.config import RemoteReadConfig
from storegate_remote_read.requests import ResponseType, read_request
from storegate_remote_read.snappy import SnappyBlock
from storegate_remote_read.statuses import http_status

BODY = encode_request([query(5, 9, (2, "job", "a|b"), func="rate", step_ms=15, grouping=["x"], by=True)], [CHUNKS])


def read(body, **options):
    defaults = {"max_size": 1 << 20, "max_resolution": 0, "replica_labels": ()}
    return read_request(body, **(defaults | options))


def test_a_query_becomes_a_request_of_the_engine():
    (found,) = read(BODY, replica_labels=("replica",)).queries
    assert (found.min_time, found.max_time) == (5, 9)
    assert found.matchers == (LabelMatcher(2, "job", "a|b"), LabelMatcher(2, "__name__", ".*"))
    assert found.without_replica_labels == ("replica",)
    assert not found.skip_chunks


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [([], SAMPLES), ([SAMPLES], SAMPLES), ([CHUNKS], CHUNKS), ([CHUNKS, SAMPLES], CHUNKS), ([SAMPLES, CHUNKS], SAMPLES),
     ([9, CHUNKS], CHUNKS)],
)  # fmt: skip
def test_the_first_known_response_type_is_chosen(accepted, chosen):
    assert read(encode_request([], accepted)).type is ResponseType(chosen)


def test_response_types_that_are_all_unknown_are_refused():
    with pytest.raises(InvalidRequestError, match=r"accepted response types \[7, 8\] is known"):
        read(encode_request([], [7, 8]))


@pytest.mark.parametrize("body", [b"", b"not snappy", BODY[:-1], b"\xff" * 20, b"\x05"])
def test_a_body_that_is_not_snappy_is_refused(body):
    with pytest.raises(InvalidRequestError, match="not compressed with snappy"):
        read(body)


def test_a_body_that_holds_no_request_is_refused():
    with pytest.raises(InvalidRequestError, match=r"no prometheus\.ReadRequest"):
        read(bytes(cramjam.snappy.compress_raw(b"\x0a\xff")))


def test_a_matcher_that_is_no_text_is_refused():
    data = read_request_bytes().replace(b"a|b", b"a\xffb")
    with pytest.raises(InvalidRequestError, match=r"no prometheus\.ReadRequest"):
        read(bytes(cramjam.snappy.compress_raw(data)))


def read_request_bytes():
    return bytes(cramjam.snappy.decompress_raw(BODY))


def test_a_small_body_that_unpacks_to_a_large_one_is_refused_before_it_is_unpacked():
    bomb = b"\xff\xff\xff\xff\x0f" + BODY[1:]
    with pytest.raises(InvalidRequestError, match=r"unpacks to 4294967295 bytes, max_request_size allows 100"):
        read(bomb, max_size=100)


@given(body=damaged(BODY))
def test_a_damaged_body_is_a_request_or_refused(body):
    try:
        read(body)
    except InvalidRequestError:
        pass


# --- answers in snappy ---


@given(parts=st.lists(st.lists(st.binary(max_size=200), max_size=4), max_size=4))
def test_pieces_that_were_compressed_apart_are_one_block(parts):
    whole = SnappyBlock()
    for part in parts:
        block = SnappyBlock()
        for piece in part:
            block.add(piece)
        whole.join(block)
    packed = b"".join(whole.finish())
    expected = b"".join(piece for part in parts for piece in part)
    assert cramjam.snappy.decompress_raw_len(packed) == len(expected)
    assert bytes(cramjam.snappy.decompress_raw(packed)) == expected


def test_pieces_longer_than_a_window_of_snappy_are_one_block():
    pieces = [bytes([n]) * 100_000 + bytes(range(256)) * 300 for n in range(3)]
    block = SnappyBlock()
    for piece in pieces:
        block.add(piece)
    packed = block.finish()
    assert sum(map(len, packed)) < sum(map(len, pieces)) / 10
    assert bytes(cramjam.snappy.decompress_raw(b"".join(packed))) == b"".join(pieces)


def test_an_answer_that_snappy_cannot_hold_is_told(monkeypatch):
    monkeypatch.setattr(snappy, "LONGEST", 10)
    block = SnappyBlock()
    block.add(b"x" * 11)
    with pytest.raises(LimitError, match=r"11 bytes, and the format ends at 10.*streamed"):
        block.finish()


# --- statuses ---


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidRequestError("a"), 400),
        (LimitError("a", limit="series", allowed=1, reached=2), 422),
        (CancelledError("a"), 499),
        (NotFoundError("a"), 500),
        (DeniedError("a"), 500),
        (CorruptError("a"), 500),
        (UnavailableError("a"), 503),
        (ThrottledError("a"), 503),
        (DeadlineError("a"), 504),
    ],
)
def test_every_error_has_a_status_and_its_text(error, status):
    assert http_status(error) == (status, "a")


def test_the_text_is_one_line_that_names_the_block():
    error = UnavailableError("no\n  answer")
    error.block = "01X"
    assert http_status(error) == (503, "block 01X: no answer")


def test_what_nobody_expected_tells_nothing_but_its_kind():
    assert http_status(KeyError("secret")) == (500, "unexpected KeyError; the gateway's log has the details")


# --- settings ---


@pytest.mark.parametrize(
    "given",
    [{"path": "read"}, {"path": "/read/"}, {"path": "/a b"}, {"max_resolution": "2h"}, {"max_frame_size": 0}, {"x": 1}],
)
def test_settings_that_cannot_work_are_refused(given):
    with pytest.raises(ValidationError):
        RemoteReadConfig.model_validate(given)


def test_settings_may_be_text_with_units():
    config = RemoteReadConfig.model_validate({"timeout": "1m", "max_request_size": "2MiB", "path": "/prom/read-5m"})
    assert (config.timeout, config.max_request_size) == (60.0, 2 << 20)
