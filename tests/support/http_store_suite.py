"""What a store that speaks HTTP makes of bad answers: tests to inherit, over a server that answers by a script."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from servers.scripted import Answer, Asked, Script, ScriptedServer

from storegate import DeniedError, NotFoundError, StoregateError, ThrottledError, UnavailableError

KEY = "folder/object"
CALLS: dict[str, Callable[[Any], object]] = {
    "list": lambda store: list(store.list()),
    "head": lambda store: store.head(KEY),
    "get": lambda store: store.get(KEY),
    "get_range": lambda store: store.get_range(KEY, 0, 10),
    "read_into": lambda store: store.read_into(KEY, 0, memoryview(bytearray(10))),
    "put": lambda store: store.put(KEY, b"content"),
    "delete": lambda store: store.delete(KEY),
}
READS = ("get", "get_range", "read_into")
TEN = b"0123456789"

OpenAt = Callable[..., Any]


def part(asked: Asked) -> Answer:
    """The first ten bytes of an object of a hundred; the object is as long as them where no range is asked for."""
    if "range" not in asked.headers:
        return Answer(200, TEN)
    return Answer(206, TEN, {"Content-Range": "bytes 0-9/100"})


class HttpStoreSuite:
    """Subclasses have a fixture `open_at`, which opens a store by `host:port` and more settings, and `refusal`."""

    @staticmethod
    def refusal(status: int, reason: str, **headers: str) -> Answer:
        """How the store says why it refuses."""
        raise NotImplementedError

    @pytest.fixture
    def scripted(self, start_scripted: Any, open_at: OpenAt) -> Callable[..., tuple[ScriptedServer, Any]]:
        """A server with a script, and a store that asks it."""

        def scripted(script: Script, **settings: Any) -> tuple[ScriptedServer, Any]:
            server = start_scripted(script)
            return server, open_at(server.address, **settings)

        return scripted

    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize("status", [401, 403])
    def test_refused_credentials_are_no_missing_object(self, scripted: Any, call: str, status: int) -> None:
        _, store = scripted(lambda asked: self.refusal(status, "forbidden"))
        with pytest.raises(DeniedError) as caught:
            CALLS[call](store)
        assert repr(store.name) in str(caught.value)
        assert f"status {status} (forbidden)" in str(caught.value)
        assert "check the credentials" in str(caught.value)

    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize("status", [429, 503])
    def test_a_store_that_throttles_says_how_long_and_is_asked_once(
        self, scripted: Any, call: str, status: int
    ) -> None:
        server, store = scripted(lambda asked: self.refusal(status, "busy", **{"Retry-After": "7"}))
        with pytest.raises(ThrottledError) as caught:
            CALLS[call](store)
        assert caught.value.retry_after == 7.0
        assert len(server.asked) == 1

    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize("status", [408, 500])
    def test_a_store_that_fails_is_unavailable_and_is_asked_once(self, scripted: Any, call: str, status: int) -> None:
        server, store = scripted(lambda asked: Answer(status, b"<html>sorry</html>"))
        with pytest.raises(UnavailableError, match=f"status {status}"):
            CALLS[call](store)
        assert len(server.asked) == 1

    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize("status", [301, 400])
    def test_other_refusals_are_not_tried_again(self, scripted: Any, call: str, status: int) -> None:
        _, store = scripted(lambda asked: Answer(status, b"no", {"Location": "http://127.0.0.1:1/"}))
        with pytest.raises(StoregateError, match=f"status {status}") as caught:
            CALLS[call](store)
        assert not isinstance(caught.value, UnavailableError | NotFoundError | DeniedError)

    @pytest.mark.parametrize("call", CALLS)
    def test_an_answer_that_does_not_come_is_given_up(self, scripted: Any, call: str) -> None:
        held = threading.Event()
        _, store = scripted(lambda asked: Answer(held=held), http_config={"response_header_timeout": "100ms"})
        with pytest.raises(UnavailableError, match="timed out"):
            CALLS[call](store)
        held.set()

    @pytest.mark.parametrize("call", CALLS)
    def test_no_connection_is_unavailable(self, start_scripted: Any, open_at: OpenAt, call: str) -> None:
        server = start_scripted()
        server.stop()
        with pytest.raises(UnavailableError, match="Connection refused"):
            CALLS[call](open_at(server.address))

    @pytest.mark.parametrize("call", ["list", "head"])
    def test_a_success_with_a_strange_body_is_unavailable(self, scripted: Any, call: str) -> None:
        _, store = scripted(lambda asked: Answer(200, b"<html>welcome</html>", {"Last-Modified": "yesterday"}))
        with pytest.raises(UnavailableError, match="the answer"):
            CALLS[call](store)

    @pytest.mark.parametrize("call", READS)
    @pytest.mark.parametrize("reset", [False, True])
    def test_a_body_that_ends_early_is_unavailable(self, scripted: Any, call: str, reset: bool) -> None:
        _, store = scripted(lambda asked: dataclasses.replace(part(asked), sent=4, reset=reset))
        with pytest.raises(UnavailableError, match=f"'{KEY}'"):
            CALLS[call](store)

    @pytest.mark.parametrize("body", [TEN[:-1], TEN + b"X"])
    def test_a_body_of_another_length_than_its_range_is_unavailable(self, scripted: Any, body: bytes) -> None:
        _, store = scripted(lambda asked: dataclasses.replace(part(asked), body=body))
        with pytest.raises(UnavailableError, match=r"ended after 9 of 10|goes on after 10"):
            store.get_range(KEY, 0, 10)

    def test_another_range_than_the_one_asked_for_is_unavailable(self, scripted: Any) -> None:
        _, store = scripted(part)
        with pytest.raises(UnavailableError, match="asked for 10 bytes from 5"):
            store.get_range(KEY, 5, 10)

    def test_a_body_that_stalls_is_given_up(self, scripted: Any) -> None:
        held = threading.Event()
        _, store = scripted(
            lambda asked: dataclasses.replace(part(asked), held=held, sent=4),
            http_config={"response_header_timeout": "100ms"},
        )
        with pytest.raises(UnavailableError, match="timed out"):
            store.get_range(KEY, 0, 10)
        held.set()

    def test_a_connection_is_used_again_after_every_kind_of_answer(self, scripted: Any) -> None:
        peers = []

        def script(asked: Asked) -> Answer:
            peers.append(threading.get_ident())  # the server has one thread for a connection
            return self.refusal(404, "notFound") if len(peers) % 2 else part(asked)

        _, store = scripted(script)
        for _ in range(6):
            try:
                store.get_range(KEY, 0, 10)
            except NotFoundError:
                pass
        assert len(peers) == 6
        assert len(set(peers)) == 1

    @pytest.mark.parametrize(
        "bad",
        [Answer(416), Answer(500, b"x" * 200_000), Answer(206, TEN, {"Content-Range": "bytes 0-9/100"}, sent=4)],
        ids=["beyond the end", "long error", "half a body"],
    )
    def test_a_bad_answer_uses_up_no_connection(self, scripted: Any, bad: Answer) -> None:
        limits = {"max_conns_per_host": 1, "response_header_timeout": "2s"}
        server, store = scripted(lambda asked: bad, http_config=limits)
        for _ in range(3):
            with suppress(UnavailableError):
                store.get_range(KEY, 0, 10)
        server.script = part
        assert store.get_range(KEY, 0, 10) == TEN

    def test_a_proxy_of_the_environment_is_asked(
        self, start_scripted: Any, open_at: OpenAt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proxy = start_scripted(part)
        monkeypatch.setenv("http_proxy", f"http://user:sec%72et@{proxy.address}")
        assert open_at("storage.example").get_range(KEY, 0, 10) == TEN
        (asked,) = proxy.asked
        assert asked.path.startswith("http://storage.example/")
        assert asked.headers["proxy-authorization"] == "Basic dXNlcjpzZWNyZXQ="  # user:secret
