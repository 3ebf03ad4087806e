"""Random bytes instead of requests."""

from __future__ import annotations

import re
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storegate_http.prefix import sanitised

from .conftest import read_all

PIECES = st.sampled_from(
    [
        b"GET ", b"POST ", b"/", b"/-/healthy", b"/api/v1/blocks/mark", b"?id=%zz", b"%", b" HTTP/1.1", b" HTTP/1.0",
        b"\r\n", b"\n", b"\r", b"Host: x\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
        b"Authorization: Basic eA==\r\n", b"Content-Type: multipart/form-data; boundary=b\r\n", b"--b\r\n",
        b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"5\r\nabcde\r\n", b"0\r\n\r\n", b"\x00", b"\xff",
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def target(serve):
    return serve()


@given(st.lists(PIECES | st.binary(max_size=20), max_size=25))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_is_answered_or_refused_and_the_server_lives(target, pieces):
    with target.raw() as connection:
        connection.sendall(b"".join(pieces))
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    assert not answer or answer.startswith(b"HTTP/1.1 ")
    assert b" 500 " not in answer.split(b"\r\n")[0]
    assert target.ask("/-/healthy")[0] == 200


def test_nothing_of_it_was_an_error(target):
    assert [line for line in target.log if line["level"] == "error"] == []


@given(st.text() | st.lists(st.sampled_from(["/", "//", "..", ".", "a", "http:", "?", "#", "\\", " "])).map("".join))
def test_a_prefix_is_a_path_or_nothing(text):
    prefix = sanitised(text)
    assert re.fullmatch(r"(/[\w.~%+@:-]+)*", prefix, re.ASCII)
    assert not {".", ".."} & set(prefix.split("/"))
    assert sanitised(prefix) == prefix
